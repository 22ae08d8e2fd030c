"""The data of a run: an organization with its key, and products as sellers have them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.organization import CreateKey, CreateOrganization, new_secret
from commands.product import ImportProducts, ImportRow, ReviseProduct
from commands.store import Store
from commands.work import Context
from projections.inline import inline_projections

_BATCH = 1000
_WORDS = (
    "night",
    "blue",
    "river",
    "ghost",
    "electric",
    "garden",
    "stone",
    "velvet",
    "winter",
    "signal",
    "paper",
    "moon",
    "iron",
    "silent",
    "golden",
    "echo",
)


class Seller(NamedTuple):
    context: Context
    key: str


def open_bus(database_url: str) -> Bus:
    return Bus(Store(database_url, inline_projections()))


def new_seller(bus: Bus, name: str) -> Seller:
    organization, secret = uuid7(), new_secret()
    context = Context(organization, "system", "bench")
    bus.execute(CreateOrganization(organization, name), context)
    scopes = ("read", "write")
    key = CreateKey(id=uuid7(), name="bench", scopes=scopes, digest=secret.digest, prefix=secret.prefix)
    bus.execute(key, context)
    return Seller(context, secret.text)


def rows(count: int) -> Iterator[ImportRow]:
    for n in range(count):
        words = [_WORDS[n * step % 16] for step in (1, 3, 7, 11)]
        yield ImportRow(
            claim=f"bench:{n}",
            values={
                "title": f"{' '.join(words)} {n}".title(),
                "type": "physical",
                "catalog_number": f"DW {n:06d}",
                "year": str(1950 + n % 75),
                "formats": ("Vinyl", "LP", "Album"),
                "tags": (words[0], f"{1950 + n % 75 // 10 * 10}s"),
                "marketplace_description": f"{words[2]} {words[3]} pressing, plays well, light marks on the sleeve.",
            },
            artist_name=f"The {words[1].title()} {n // 4}",
            music_label_name=f"{words[2].title()} Records",
        )


def stock(bus: Bus, seller: Seller, count: int) -> list[UUID]:
    """Give the seller so many products; return their ids."""
    made: list[UUID] = []
    batch: list[ImportRow] = []
    for row in rows(count):
        batch.append(row)
        if len(batch) == _BATCH:
            made.extend(bus.execute(ImportProducts(batch), seller.context).documents)
            batch = []
    if batch:
        made.extend(bus.execute(ImportProducts(batch), seller.context).documents)
    return made


def edit(bus: Bus, seller: Seller, ids: list[UUID]) -> None:
    """Revise each of the products once."""

    def revise(number: int) -> None:
        bus.execute(ReviseProduct(id=ids[number], values={"license_notes": f"checked {number}"}), seller.context)

    with ThreadPoolExecutor(8) as pool:
        deque(pool.map(revise, range(len(ids))), maxlen=0)

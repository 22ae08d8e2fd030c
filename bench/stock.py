"""The records of a run put into Deadwax: its own events, claims and projections, many products to a save."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from uuid import UUID

import psycopg

from bench.albums import Album, albums
from bench.sellers import Seller
from commands.bus import Bus
from commands.children import INVENTORY, PRESENCE
from commands.credits import resolve
from commands.organization import SHOWN_CHARACTERS, CreateKey, CreateOrganization
from commands.presence import LISTING_CLAIM
from commands.save import Claim
from commands.store import Store
from commands.work import change
from domain.credit.credit import ARTIST, LABEL
from domain.event import Change, Stamp, Step
from domain.inventory import inventory
from domain.presence import presence as presences
from domain.product import product as products
from projections.inline import inline_projections

_BATCH = 500


def open_bus(database_url: str) -> Bus:
    return Bus(Store(database_url, inline_projections()))


def register(bus: Bus, seller: Seller) -> None:
    """Make the organization and its key."""
    bus.execute(CreateOrganization(seller.organization, seller.name), seller.context)
    key = CreateKey(
        id=seller.key_id,
        name="bench",
        scopes=("read", "write"),
        digest=seller.key_digest,
        prefix=seller.key[:SHOWN_CHARACTERS],
    )
    bus.execute(key, seller.context)


def stock(database_url: str, sellers: Sequence[Seller]) -> None:
    """Give the sellers their products. The first one's, who has half of them, and the others' are written side by
    side."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for done in [pool.submit(_stock, database_url, part) for part in (sellers[:1], sellers[1:])]:
            done.result()
    with psycopg.connect(database_url, autocommit=True) as connection:
        # What autovacuum does in the minutes after: statistics, and the visibility map for reads of an index alone.
        connection.execute("VACUUM ANALYZE")


def _stock(database_url: str, sellers: Sequence[Seller]) -> None:
    bus = open_bus(database_url)
    for seller in sellers:
        register(bus, seller)
        everything = albums(seller.number, 0, seller.products)
        while batch := list(islice(everything, _BATCH)):
            _save(bus, seller, batch)
    bus.store.close()


def stock_alone(database_url: str, seller: Seller) -> None:
    """Give the seller products without items and presences, each of them revised once."""
    bus = open_bus(database_url)
    register(bus, seller)
    everything = albums(seller.number, 0, seller.products)
    while batch := list(islice(everything, _BATCH)):
        bus.store.save([_revised(album, Stamp(album.created, *seller.context)) for album in batch])
    bus.store.close()


def _revised(album: Album, stamp: Stamp) -> Change:
    created = products.create(album.id, album.values, stamp)
    product = products.evolve(None, created)
    assert product is not None
    events = [created, *products.revise(product, {"license_notes": "For personal use."}, stamp)]
    return change(album.id, None, events, products.evolve)


def _save(bus: Bus, seller: Seller, batch: Sequence[Album]) -> None:
    work = bus.work(seller.context)
    names = {(ARTIST, album.artist_name) for album in batch} | {(LABEL, album.music_label_name) for album in batch}
    credits, changes = resolve(work, sorted(names))
    family = _Family(seller.organization)
    for album in batch:
        linked = {
            "artist": credits[ARTIST, album.artist_name],
            "music_label": credits[LABEL, album.music_label_name],
        }
        event = products.create(album.id, {**album.values, **linked}, Stamp(album.created, *seller.context))
        made = change(album.id, None, [event], products.evolve)
        changes.append(made)
        family.add(album, made.after, seller)
    bus.store.save([*changes, *family.changes], claims=family.claims, steps=family.steps())


class _Family:
    """What goes into a save with the items and presences of its products."""

    def __init__(self, organization: UUID) -> None:
        self._organization = organization
        self._children: list[tuple[UUID, UUID, str]] = []
        self.changes: list[Change] = []
        self.claims: list[Claim] = []

    def add(self, album: Album, product: products.Product, seller: Seller) -> None:
        for item in album.items:
            stamp = Stamp(item.created, *seller.context)
            created = inventory.create(item.id, album.id, item.number, item.values, stamp)
            self.changes.append(change(item.id, None, [created], inventory.evolve, product))
            self._children.append((album.id, item.id, INVENTORY))
        for presence in album.presences:
            stamp = Stamp(presence.created, *seller.context)
            listed = presences.create(presence.id, album.id, presence.number, presence.values, stamp)
            made = change(presence.id, None, [listed], presences.evolve)
            self.changes.append(made)
            self.claims.append(Claim(self._organization, LISTING_CLAIM, made.after.listing, presence.id))
            self._children.append((album.id, presence.id, PRESENCE))

    def steps(self) -> list[Step]:
        if not self._children:
            return []
        adopt = "(SELECT count(adopt(p, c, k, NULL)) FROM unnest(%b, %b, %b::text[]) AS family (p, c, k))"
        return [Step(adopt, [list(column) for column in zip(*self._children, strict=True)])]

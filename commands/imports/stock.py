"""The copies and listings that a seller's file tells of: items and presences of products new and known."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from commands.children import INVENTORY, PRESENCE, hold_families
from commands.imports.arrivals import IMPORT_CLAIM, Arrivals, Copies, ImportRow
from commands.presence import LISTING_CLAIM
from commands.reading import Family
from commands.save import Claim
from commands.work import Work, change
from domain import ids
from domain.discogs import PLATFORM
from domain.errors import Conflict
from domain.event import Change, Step
from domain.inventory import inventory
from domain.inventory.inventory import Item
from domain.presence import presence as presences
from domain.presence.prices import Rating
from domain.product import product as products
from domain.product.product import Product
from domain.rates import USD


class _Wanted(NamedTuple):
    """What one row, at its place, has still to bring to a product: copies by their claims, and its listing or not."""

    at: int
    product: UUID
    copies: Copies
    claims: list[str]
    listing: Mapping[str, Any] | None


def bring_in_copies(
    rows: Sequence[ImportRow],
    new: Mapping[str, Product],
    held: Mapping[str, UUID],
    work: Work,
    arrived: Arrivals,
    *,
    dry_run: bool = False,
) -> None:
    """Add to `arrived` what the rows' copies and listings come to.

    `new` are the products that come with them, by claim; `held` says who holds which claim. Raises Conflict where a
    product that is known has just gone.
    """
    wanted = _wanted(rows, {claim: product.id for claim, product in new.items()}, held, work)
    if not wanted:
        return
    known = sorted({row.product for row in wanted} - {product.id for product in new.values()})
    families = work.store.families(known) if known else {}
    streams = work.store.load_all(known)
    of = {product.id: product for product in new.values()}
    for id in known:
        product = products.fold(streams.get(id, ()))
        if product is None or id not in families:
            raise Conflict
        of[id] = product
    wanted = _unknown(wanted, families, work, arrived)
    adopted = _Adopted(work, arrived)
    made = {id: family.items_made for id, family in families.items()}
    for row in wanted:
        for claim in row.claims:
            number = made[row.product] = made.get(row.product, 0) + 1
            adopted.item(row, number, of[row.product], claim)
    listed = [row for row in wanted if row.listing is not None]
    numbers = range(len(listed)) if dry_run or not listed else work.store.next_presence_numbers(len(listed))
    for row, number in zip(listed, numbers, strict=True):
        adopted.presence(row, number)
    if families:
        held_families = [(id, of[id].version, family.revision) for id, family in sorted(families.items())]
        arrived.steps.append(hold_families(held_families))
    if adopted.children:
        columns = [list(column) for column in zip(*adopted.children, strict=True)]
        arrived.steps.append(Step("adopt_all(%b, %b, %b::text[])", columns))


def _wanted(rows: Sequence[ImportRow], new: Mapping[str, UUID], held: Mapping[str, UUID], work: Work) -> list[_Wanted]:
    wanted = []
    for at, row in enumerate(rows):
        product = new.get(row.claim) or held.get(row.claim)
        if row.copies is not None and product is not None:
            claims = [claim for claim in row.copies.claims if claim not in held]
            wanted.append(_Wanted(at, product, row.copies, claims, row.copies.listing))
    listings = {_listing(row) for row in wanted if row.listing is not None and row.product not in new.values()}
    taken = work.store.holders(work.context.organization, LISTING_CLAIM, list(listings)) if listings else {}
    wanted = [row._replace(listing=None) if row.listing and _listing(row) in taken else row for row in wanted]
    wanted = [row for row in wanted if row.claims or row.listing is not None]
    return _at_home(wanted, held, work)


def _listing(row: _Wanted) -> str:
    assert row.listing is not None
    return presences.listing(row.product, PLATFORM, row.listing["external_listing_id"])


def _at_home(wanted: list[_Wanted], held: Mapping[str, UUID], work: Work) -> list[_Wanted]:
    """Leave out the rows whose copies came to another product before: the listing was moved to another release."""
    holders = {row.at: [held[claim] for claim in row.copies.claims if claim in held] for row in wanted}
    copies = [holder for some in holders.values() for holder in some]
    firsts = work.store.firsts(copies) if copies else {}
    return [
        row
        for row in wanted
        if all(getattr(firsts.get(holder), "product", None) == row.product for holder in holders[row.at])
    ]


def _unknown(wanted: list[_Wanted], families: Mapping[UUID, Family], work: Work, arrived: Arrivals) -> list[_Wanted]:
    """Leave out the copies that are there without the claim, known by the seller's own number or ours: an item of an
    upload file that comes back with its listing, or one that was exported. It takes the claim."""
    named = {row.product for row in wanted if row.product in families and row.claims and _own_number(row)}
    if not named:
        return wanted
    streams = work.store.load_all([id for product in named for id in families[product].items])
    claimed = work.store.claims(IMPORT_CLAIM, list(streams))
    spare: dict[tuple[UUID, str], list[Item]] = {}
    for events in streams.values():
        if (item := inventory.fold(events)) is not None:
            for number in {item.manual_sku, ids.uid(ids.INVENTORY, item.id)} - {None}:
                spare.setdefault((item.product, str(number)), []).append(item)
    matched: set[tuple[UUID, str]] = set()
    left = []
    for row in wanted:
        claims = []
        for claim in row.claims:
            kind = f"discogs:{row.copies.source}:"
            item = next(
                (
                    item
                    for item in spare.get((row.product, _own_number(row) or ""), ())
                    if (item.id, kind) not in matched
                    and not any(other.startswith(kind) for other in claimed.get(item.id, ()))
                ),
                None,
            )
            if item is None:
                claims.append(claim)
            else:
                matched.add((item.id, kind))
                arrived.claims.append(Claim(work.context.organization, IMPORT_CLAIM, claim, item.id))
        left.append(row._replace(claims=claims))
    return left


def _own_number(row: _Wanted) -> str | None:
    number: str | None = row.copies.values.get("manual_sku")
    return number


class _Adopted:
    """Makes items and presences. `children` are those made, as (child, product, kind)."""

    def __init__(self, work: Work, arrived: Arrivals) -> None:
        self._work = work
        self._arrived = arrived
        self._ratings: dict[str, Rating] = {}
        self.children: list[tuple[UUID, UUID, str]] = []

    def item(self, row: _Wanted, number: int, product: Product, claim: str) -> None:
        id = self._work.new_id()
        event = inventory.create(id, product.id, number, row.copies.values, self._work.stamp)
        made = change(id, None, [event], inventory.evolve, product)
        self._add(row, made, INVENTORY, Claim(product.organization, IMPORT_CLAIM, claim, id))
        self._arrived.items += 1

    def presence(self, row: _Wanted, number: int) -> None:
        assert row.listing is not None
        id = self._work.new_id()
        rating = self._rating(row.listing["listing_currency"])
        event = presences.create(id, row.product, number, row.listing, self._work.stamp, rating)
        made = change(id, None, [event], presences.evolve)
        self._add(row, made, PRESENCE, Claim(event.organization, LISTING_CLAIM, _listing(row), id))
        self._arrived.presences += 1

    def _rating(self, currency: str) -> Rating | None:
        if currency == USD:
            return None
        if currency not in self._ratings:
            self._ratings[currency] = self._work.rating(currency)
        return self._ratings[currency]

    def _add(self, row: _Wanted, made: Change, kind: str, claim: Claim) -> None:
        self._arrived.changes.append(made)
        self._arrived.claims.append(claim)
        self._arrived.rows.add(row.at)
        self.children.append((made.id, row.product, kind))

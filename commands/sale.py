"""The command about sales on marketplaces: a copy leaves the shelf once, and all its other listings with it."""

from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct

from commands import children
from commands.activity import activity_step
from commands.children import hold
from commands.delisting import ended
from commands.reading import KnownListing
from commands.save import Claim, Saved
from commands.work import Work, change
from domain.connection import connection as connections
from domain.connection.activity import Activity, Outcome
from domain.connection.connection import Connection
from domain.errors import Conflict, Taken
from domain.event import Change, Step
from domain.inventory import inventory
from domain.presence import presence as presences
from domain.presence import syncing
from domain.presence.listing import Sale
from domain.presence.presence import Presence
from domain.presence.selling import Verdict, judge
from domain.product import product as products
from domain.product.product import Product

CLAIM, CANCELLED_CLAIM = "sale", "cancelled-sale"
"""What was counted, by platform, order and line. Its holder never ends, so that it is counted once for all time."""


class RecordSale(Struct, frozen=True, kw_only=True):
    """One line of an order that came in. Those that were counted change nothing; all move the cursor of orders."""

    connection: UUID
    sale: Sale

    @property
    def subject(self) -> UUID:
        return self.connection


def record(command: RecordSale, work: Work) -> Saved:
    """Raises NotFound where the connection is gone."""
    connection, sale = work.load(command.connection, connections.fold), command.sale
    kinds = (CLAIM, CANCELLED_CLAIM) if sale.is_cancelled else (CLAIM,)
    value = f"{connection.platform_uid}:{sale.order}:{sale.line}"
    counted = [kind for kind in kinds if work.store.holders(connection.organization, kind, [value])]
    moved = Step("move_orders(%b, %b)", (connection.id, sale.moved))
    # An order that was cancelled before anybody knew of it has sold nothing.
    if counted != ([CLAIM] if sale.is_cancelled else []):
        return work.save([], steps=[moved])
    known = work.store.listed(connection.organization, connection.platform_uid, sale.listing, sale.sku)
    claim = Claim(connection.organization, kinds[-1], value, uuid5(connection.organization, value))
    try:
        if known is None:
            entry = _entry(connection, "skipped", f"Order {sale.order} is of a listing that is not known here.")
            steps = [moved, activity_step(connection.organization, work.now, [entry])]
            return work.save([], claims=[claim], steps=steps)
        changes, steps, entries = (_cancelled if sale.is_cancelled else _sold)(connection, sale, known, work)
        steps += [moved, activity_step(connection.organization, work.now, entries)]
        return work.save(changes, claims=[claim], steps=steps)
    except Taken:
        # Another worker was there first.
        return work.save([], steps=[moved])


_Made = tuple[list[Change], list[Step], list[Activity]]


def _cancelled(connection: Connection, sale: Sale, known: KnownListing, work: Work) -> _Made:
    presence = work.load(known.presence, presences.fold)
    event = syncing.cancel(presence, sale, work.stamp)
    message = f"Order {sale.order} was cancelled. What it sold stays as it is here: look at it."
    entry = _entry(connection, "changed", message, presence)
    return [change(presence.id, presence, [event], presences.evolve)], [hold(presence.product)], [entry]


def _sold(connection: Connection, sale: Sale, known: KnownListing, work: Work) -> _Made:
    product = work.load(known.product, products.fold)
    family = children.family(product.id, work)
    items = children.items(family.items, work)
    streams = work.store.load_all(family.presences)
    found = [one for id in family.presences if (one := presences.fold(streams.get(id, ()))) is not None]
    presence = next((one for one in found if one.id == known.presence), None)
    if presence is None:
        raise Conflict
    others = [one for one in found if one is not presence]
    verdict = judge(sale, presence, others, items)
    if verdict.is_conflict:
        changes, entry = _conflicting(connection, sale, presence, verdict, work)
    else:
        changes = _counted(sale, presence, verdict, product, work)
        message = f"Sold with order {sale.order}."
        if verdict.item is None and items:
            message += " Which copy it was is not known: mark it as sold."
        entry = _entry(connection, "changed", message, presence)
    over = [one for one in others if not one.is_over] if verdict.is_last else []
    steps, by_hand = ended(connection.organization, over, sale.order, work, connection.id)
    return changes, [hold(product.id, product.version, family.revision), *steps], [entry, *by_hand]


def _conflicting(
    connection: Connection, sale: Sale, presence: Presence, verdict: Verdict, work: Work
) -> tuple[list[Change], Activity]:
    item = verdict.item.id if verdict.item is not None else None
    event = syncing.conflict(presence, sale, item, verdict.first_order, work.stamp)
    first = "before" if verdict.first_order is None else f"with order {verdict.first_order}"
    message = f"Order {sale.order} sold what was sold {first}."
    made = change(presence.id, presence, [event], presences.evolve)
    return [made], _entry(connection, "conflict", message, presence)


def _counted(sale: Sale, presence: Presence, verdict: Verdict, product: Product, work: Work) -> list[Change]:
    item = verdict.item
    event = syncing.sell(presence, sale, None if item is None else item.id, work.stamp)
    changes = [change(presence.id, presence, [event], presences.evolve)]
    if item is not None:
        events = inventory.revise(item, {"status": "sold"}, work.stamp)
        changes.append(change(item.id, item, events, inventory.evolve, product))
    return changes


def _entry(connection: Connection, outcome: Outcome, message: str, of: Presence | None = None) -> Activity:
    return Activity(
        connection=connection.id,
        action="sale",
        outcome=outcome,
        message=message,
        presence=None if of is None else of.id,
        product=None if of is None else of.product,
    )


HANDLERS: dict[Any, Any] = {RecordSale: record}

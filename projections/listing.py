"""Listings: what of them is to be checked, told and ended, as the log makes it owed and workers read it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from domain.connection.connection import Connection
from domain.connection.form import CAPABILITIES
from domain.event import Change, Projected, Step
from domain.presence.events import PresenceRepriced
from domain.presence.listing import Listing
from domain.presence.presence import Presence
from domain.presence.pushing import Basis
from domain.product.product import Product
from domain.task.events import TaskDropped
from domain.task.task import Task
from projections.base import queries
from projections.worker import WorkerConnection

KIND, ROUND = "listing", "round"
"""What `todo` calls a listing that is to be told or ended, and a connection whose listings are to be checked."""
SYSTEM = "system"
_SQL = queries("listing")
_PUT = (
    "put_listings(%b, %b, %b, %b::text[], %b::text[], %b::bigint[], %b::text[], %b::numeric[], %b::text[],"
    " %b::boolean[], %b::boolean[], %b)"
)


def round_of(connection: UUID) -> UUID:
    """Return what `todo` calls the rounds of a connection that begins now."""
    return uuid5(connection, ROUND)


class ListingProjection:
    """Keeps `listing` and `order_cursor`, and in `todo` the rounds of connections and what is wanted of listings."""

    def project(self, changes: Sequence[Change]) -> Projected:
        kept: list[tuple[Any, ...]] = []
        gone: list[UUID] = []
        rest: list[Step] = []
        for change in changes:
            if not change.events:
                continue
            match change.after or change.before:
                case Presence():
                    if change.after is not None and is_listed(change.after):
                        kept.append(_row(change.after))
                        rest += _repriced(change)
                    elif change.before is not None and is_listed(change.before):
                        gone.append(change.id)
                case Product():
                    rest += _overridden(change)
                case Connection():
                    rest += _connected(change)
                case Task():
                    rest += _dropped(change)
        steps = [Step("drop_listings(%b)", (sorted(gone),))] if gone else []
        if kept:
            steps.append(Step(_PUT, [list(column) for column in zip(*sorted(kept), strict=True)]))
        return Projected([*steps, *rest], {})


def is_listed(presence: Presence) -> bool:
    """Say whether it names a listing of a platform that can be asked."""
    return bool(presence.external_listing_id) and presence.platform_uid in CAPABILITIES


def _row(of: Presence) -> tuple[Any, ...]:
    return (
        of.id,
        of.organization,
        of.product,
        of.platform_uid,
        of.external_listing_id,
        of.version,
        of.status,
        of.listing_price,
        of.listing_currency,
        of.is_selling_enabled,
        of.is_over,
        of.updated,
    )


def _repriced(change: Change) -> Iterator[Step]:
    """A price that a client set is to be told; that of another day's rate is not, nor what the marketplace showed."""
    before, after = change.before, change.after
    is_set = any(isinstance(event, PresenceRepriced) and event.actor != SYSTEM for event in change.events)
    if before is None or not is_set or after.listing_price is None:
        return
    if (before.listing_price, before.listing_currency) != (after.listing_price, after.listing_currency):
        yield Step("want_pushes(%b, 'listing', %b)", ([after.id], after.updated))


def _overridden(change: Change) -> Iterator[Step]:
    before, after = change.before, change.after
    if before is None or after is None or before.price_override_usd == after.price_override_usd:
        return
    is_priced = after.price_override_usd is not None
    yield Step("want_pushes_of_product(%b, %b, %b)", (after.id, is_priced, after.updated))


def _connected(change: Change) -> Iterator[Step]:
    before: Connection | None = change.before
    after: Connection | None = change.after
    if after is None:
        assert before is not None, "what is gone was there"
        yield Step("drop_rounds(%b, %b, %s)", (before.id, before.organization, before.platform_uid))
        return
    was_usable = before is not None and before.is_usable
    pushed = before is not None and before.push_prices
    account = (after.organization, after.platform_uid)
    if was_usable and not after.is_usable:
        yield Step("stop_rounds(%b)", (after.id,))
    if pushed and not after.push_prices:
        yield Step("end_pushes(%b, %s)", account)
    elif after.push_prices and (not pushed or before is None or before.markup_percent != after.markup_percent):
        yield Step("want_pushes_of_connection(%b, %s, %b)", (*account, after.updated))
    is_slower = before is not None and before.interval_minutes != after.interval_minutes
    if after.is_usable and (not was_usable or is_slower):
        every = timedelta(minutes=after.interval_minutes)
        values = (after.id, *account, round_of(after.id), every, after.updated)
        yield Step("start_rounds(%b, %b, %s, %b, %b, %b)", values)


def _dropped(change: Change) -> Iterator[Step]:
    """Who takes a listing off the list wants nothing of it any more."""
    for event in change.events:
        if isinstance(event, TaskDropped) and event.kind == KIND:
            yield Step("forget_wants(%b)", (event.subject,))


class Round(NamedTuple):
    """Whose listings are to be checked."""

    connection: UUID
    organization: UUID
    platform: str
    is_usable: bool
    interval_minutes: int


class Wanted(NamedTuple):
    """What is wanted of a listing: `end` is the order that it is to end for, empty where somebody said that it is sold;
    `push_basis` says which price it is to be told; None where it is not. `price` is the presence's own, in the
    listing's currency.
    """

    listing: Listing
    connection: UUID
    organization: UUID
    platform: str
    end: str | None
    push_number: int
    push_basis: Basis | None
    price: Decimal | None
    override_usd: Decimal | None
    markup_percent: int


class Orders(NamedTuple):
    """Orders that moved before `since` are known. `checked` is when they were last asked for, None where they are to be
    asked for at once; `hints` goes back to `orders_checked`.
    """

    since: datetime
    checked: datetime | None
    hints: int


class Listings(WorkerConnection):
    """Listings as workers read them. What comes of them are commands."""

    def round(self, subject: UUID) -> Round | None:
        """Return whose round that is, None where there is no such connection any more."""
        found = self.rows(_SQL["round"], {"round": subject})
        return Round(*found[0]) if found else None

    def due(self, connection: UUID, now: datetime, limit: int = 100) -> list[Listing]:
        """Return listings that are to be checked, what has been due longest first."""
        return [_listing(row) for row in self.rows(_SQL["due"], {"connection": connection, "now": now, "limit": limit})]

    def next_due(self, connection: UUID) -> datetime | None:
        """Return when the next one is to be checked, None without any."""
        found: datetime | None = self.rows(_SQL["next_due"], {"connection": connection})[0][0]
        return found

    def wanted(self, presence: UUID) -> Wanted | None:
        """Return what is wanted of a listing; None where nothing is, or while no connection works."""
        found = self.rows(_SQL["wanted"], {"presence": presence})
        return Wanted(_listing(found[0][:7]), *found[0][7:]) if found else None

    def orders(self, connection: UUID) -> Orders | None:
        """Return how far its orders were read; None for a connection that never worked."""
        found = self.rows(_SQL["orders"], {"connection": connection})
        return Orders(*found[0]) if found else None

    def orders_checked(self, connection: UUID, at: datetime, hints: int) -> None:
        """Note that all orders up to now were asked for, begun at `at`; a hint that came since has them asked for
        again."""
        self.rows(_SQL["orders_checked"], {"connection": connection, "at": at, "hints": hints})


def _listing(row: Sequence[Any]) -> Listing:
    presence, product, external_id, currency, reference, skus, version = row
    return Listing(presence, product, external_id, currency, reference, tuple(skus), version)

"""Commands about listings: what a marketplace showed, took and ended, as workers report it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from commands.activity import activity_step
from commands.children import hold, hold_products
from commands.delisting import BY_HAND, because
from commands.reading import KnownListing
from commands.save import Saved
from commands.work import Work, change
from domain.connection import connection as connections
from domain.connection.activity import Action, Activity, Outcome
from domain.connection.connection import Connection
from domain.errors import Conflict
from domain.event import Change, DomainEvent, Step
from domain.presence import presence as presences
from domain.presence import syncing
from domain.presence.events import PresenceObserved
from domain.presence.listing import Listing, Seen, Unseen
from domain.presence.presence import SOLD, Presence
from domain.presence.prices import Prices, Rating
from domain.rates import USD

Changed = Mapping[str, tuple[Any, Any]]


class _OfConnection(Struct, frozen=True, kw_only=True):
    connection: UUID

    @property
    def subject(self) -> UUID:
        return self.connection


class NoteChecked(_OfConnection, frozen=True, kw_only=True):
    """Note what was seen of `listings`, as they were when they were asked for, and what of them could not be read.

    What changed here since is asked for again, so nothing of it is taken over.
    """

    listings: Sequence[Listing]
    seen: Sequence[Seen] = ()
    failed: Sequence[Unseen] = ()


class _AboutListing(Struct, frozen=True, kw_only=True):
    """`product` is the presence's."""

    connection: UUID
    presence: UUID
    product: UUID

    @property
    def subject(self) -> UUID:
        return self.product


class NotePushed(_AboutListing, frozen=True, kw_only=True):
    """The marketplace took a price, in `currency`. A newer one than the `number`th stays wanted."""

    number: int
    price: Decimal
    currency: str
    reference: Mapping[str, str] | None = None


class NoteEnded(_AboutListing, frozen=True, kw_only=True):
    """It is ended or paused there, or was sold before that."""

    status: str


class DropPush(_AboutListing, frozen=True, kw_only=True):
    """The `number`th price cannot be told, or need not be. `reason` is our own words."""

    number: int
    reason: str
    outcome: Outcome = "skipped"


class DropEnd(_AboutListing, frozen=True, kw_only=True):
    """It cannot be ended from here. `reason` is our own words."""

    reason: str
    outcome: Outcome = "failed"


def note_checked(command: NoteChecked, work: Work) -> Saved:
    """Raises NotFound where the connection is gone."""
    connection = work.load(command.connection, connections.fold)
    asked = {listing.presence: listing.version for listing in command.listings}
    known = {
        id: listing
        for id, listing in work.store.listings(connection.organization, list(asked)).items()
        if listing.platform == connection.platform_uid and listing.version == asked[id]
    }
    seen = [one for one in command.seen if one.presence in known]
    failed = [one for one in command.failed if one.presence in known]
    changes = _observed(seen, known, work)
    steps = _checked(seen, failed, known, work)
    entries = [
        *_changed(connection, changes),
        *(_entry(connection, "check", "failed", one.reason, known[one.presence]) for one in failed),
    ]
    if seen:
        message = f"Listings checked: {len(seen)}. Changed: {len(changes)}."
        entries.append(Activity(connection=connection.id, action="check", outcome="done", message=message))
    if entries:
        steps.append(activity_step(connection.organization, work.now, entries))
    return work.save(changes, steps=steps)


def _observed(seen: Sequence[Seen], known: Mapping[UUID, KnownListing], work: Work) -> list[Change]:
    """Return what of it is news. Only those streams are read."""
    news = [one for one in seen if _is_news(one, known[one.presence])]
    streams = work.store.load_all([one.presence for one in news])
    ratings: dict[str, Rating | None] = {USD: None}
    changes = []
    for one in news:
        listing, presence = known[one.presence], presences.fold(streams.get(one.presence, ()))
        if presence is None or presence.version != listing.version:
            raise Conflict
        currency = one.currency or presence.listing_currency
        if currency not in ratings:
            ratings[currency] = work.rating(currency)
        adopts_price = listing.push_basis is None
        events = syncing.observe(presence, one, work.stamp, ratings[currency], adopts_price=adopts_price)
        if events:
            changes.append(change(presence.id, presence, events, presences.evolve))
    return changes


def _is_news(seen: Seen, known: KnownListing) -> bool:
    prices = Prices(known.price, known.currency, None)
    # While a price is to be told there, the one that it shows is an older one.
    return syncing.is_news(known.status, prices, seen, adopts_price=known.push_basis is None)


def _checked(
    seen: Sequence[Seen], failed: Sequence[Unseen], known: Mapping[UUID, KnownListing], work: Work
) -> list[Step]:
    steps = []
    if seen:
        products = sorted({known[one.presence].product for one in seen})
        steps += [hold_products(products), Step("mark_checked(%b, %b)", ([one.presence for one in seen], work.now))]
    if failed:
        steps.append(Step("put_off_checks(%b, %b)", ([one.presence for one in failed], work.now)))
    found = {one.presence: one.reference for one in seen if one.reference is not None}
    return steps + _references({id: of for id, of in found.items() if of != known[id].reference})


def _references(found: Mapping[UUID, Mapping[str, str]]) -> list[Step]:
    if not found:
        return []
    texts = [msgspec.json.encode(reference).decode() for reference in found.values()]
    return [Step("note_references(%b, %b::text[])", (list(found), texts))]


def _changed(connection: Connection, changes: Sequence[Change]) -> Iterator[Activity]:
    for made in changes:
        [event] = made.events
        yield Activity(
            connection=connection.id,
            action="check",
            outcome="changed",
            message="The marketplace showed something new.",
            presence=made.id,
            product=made.after.product,
            changes=_told(event),
        )


def _told(event: DomainEvent) -> Changed:
    assert isinstance(event, PresenceObserved), "a check makes no other"
    told = {
        "status": (event.old_status, event.status),
        "listing_price": (_money(event.old_listing_price), _money(event.listing_price)),
        "listing_currency": (event.old_listing_currency, event.listing_currency),
    }
    return {name: both for name, both in told.items() if both[0] != both[1]}


def _money(price: Decimal | None) -> str | None:
    return None if price is None else f"{price:.2f}"


def note_pushed(command: NotePushed, work: Work) -> Saved:
    """Raises NotFound. Nothing where that price was noted, or is wanted no more."""
    connection, presence, known = _load(command, work)
    if known is None or known.push_basis is None:
        return work.save([])
    is_newest = known.push_number == command.number and presence.listing_currency == command.currency
    changes, message = [], "A price was told that a newer one follows."
    told = {"listing_price": (_money(presence.listing_price), _money(command.price))}
    if is_newest and not presence.is_over:
        rating = None if command.currency == USD else work.rating(command.currency)
        event = syncing.push(presence, command.number, command.price, work.stamp, rating)
        changes, message = [change(presence.id, presence, [event], presences.evolve)], "The price was told."
    entry = _entry(connection, "push", "done", message, known, told)
    steps = [
        hold(presence.product),
        Step("end_push(%b, %b::bigint)", (presence.id, command.number)),
        *_references({presence.id: command.reference} if command.reference else {}),
        activity_step(connection.organization, work.now, [entry]),
    ]
    return work.save(changes, steps=steps)


def note_ended(command: NoteEnded, work: Work) -> Saved:
    """Raises NotFound. Nothing where it is not to end any more."""
    connection, presence, known = _load(command, work)
    if known is None or known.end_wanted is None:
        return work.save([])
    outcome: Outcome
    order = None if known.end_wanted == BY_HAND else known.end_wanted
    if command.status == SOLD:
        # Its own order tells of that.
        events: Sequence[Any] = syncing.observe(presence, Seen(presence.id, SOLD), work.stamp, adopts_price=False)
        outcome, message = "changed", "It was sold there before it could be ended."
    else:
        events = syncing.delist(presence, command.status, order, work.stamp)
        outcome, message = "done", because(order)
    told = {"status": (presence.status, command.status)}
    changes = [change(presence.id, presence, events, presences.evolve)] if events else []
    steps = [
        hold(presence.product),
        Step("end_end(%b)", (presence.id,)),
        activity_step(connection.organization, work.now, [_entry(connection, "end", outcome, message, known, told)]),
    ]
    return work.save(changes, steps=steps)


def drop_push(command: DropPush, work: Work) -> Saved:
    """Raises NotFound. Nothing where a newer price is wanted, or none."""
    connection, presence, known = _load(command, work)
    if known is None or known.push_basis is None or known.push_number != command.number:
        return work.save([])
    entry = _entry(connection, "push", command.outcome, command.reason, known)
    steps = [
        Step("end_push(%b, %b::bigint)", (presence.id, command.number)),
        activity_step(connection.organization, work.now, [entry]),
    ]
    return work.save([], steps=[hold(presence.product), *steps])


def drop_end(command: DropEnd, work: Work) -> Saved:
    """Raises NotFound. Nothing where it is not to end."""
    connection, presence, known = _load(command, work)
    if known is None or known.end_wanted is None:
        return work.save([])
    entry = _entry(connection, "end", command.outcome, command.reason, known)
    steps = [Step("end_end(%b)", (presence.id,)), activity_step(connection.organization, work.now, [entry])]
    return work.save([], steps=[hold(presence.product), *steps])


def _load(command: _AboutListing, work: Work) -> tuple[Connection, Presence, KnownListing | None]:
    """Return the connection, the presence, and what is known of its listing there. Raises NotFound."""
    connection = work.load(command.connection, connections.fold)
    presence = work.load(command.presence, presences.fold)
    known = work.store.listings(connection.organization, [presence.id]).get(presence.id)
    if known is not None and known.platform != connection.platform_uid:
        known = None
    return connection, presence, known


def _entry(
    connection: Connection,
    action: Action,
    outcome: Outcome,
    message: str,
    known: KnownListing,
    changes: Changed | None = None,
) -> Activity:
    return Activity(
        connection=connection.id,
        action=action,
        outcome=outcome,
        message=message,
        presence=known.presence,
        product=known.product,
        changes=changes,
    )


HANDLERS: dict[Any, Any] = {
    NoteChecked: note_checked,
    NotePushed: note_pushed,
    NoteEnded: note_ended,
    DropPush: drop_push,
    DropEnd: drop_end,
}

"""The presence: one product on one selling platform. State, decisions, evolve."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.event import DomainEvent, Stamp, own_fields, told
from domain.presence.events import (
    PresenceCreated,
    PresenceDeleted,
    PresenceDelisted,
    PresenceEvent,
    PresenceObserved,
    PresenceRepriced,
    PresenceRevised,
    PresenceSold,
    PricePushed,
    SaleCancelled,
    SaleConflicted,
)
from domain.presence.prices import UNPRICED, Prices, Rating, converted, revised

OVER = frozenset({"ended", "removed", "sold"})
"""The statuses of what is no longer on the platform."""
SOLD = "sold"


class Presence(Struct, frozen=True):
    """Between `version` and `price_last_updated` stand the fields of PresenceCreated, in its order.

    `price_last_updated` is None before the first price. `last_checked_at` is when the platform last showed something
    that was new here: checks that find nothing are no events, and are known to the tables alone. `sold_with` is the
    order that it was sold with; None where it is not sold, or where none is known.
    """

    id: UUID
    organization: UUID
    version: int
    product: UUID
    number: int
    platform_uid: str
    external_listing_id: str | None
    external_url: str | None
    image_url: str | None
    status: str
    listing_price: Decimal | None
    listing_currency: str
    listing_price_usd: Decimal | None
    is_selling_enabled: bool
    usd_rate_date: date | None
    price_last_updated: datetime | None
    last_checked_at: datetime | None
    created: datetime
    updated: datetime
    sold_with: str | None = None

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def prices(self) -> Prices:
        return _prices(self)

    @property
    def listing(self) -> str | None:
        """What no other presence may have; None while it names no listing."""
        if not self.external_listing_id:
            return None
        return listing(self.product, self.platform_uid, self.external_listing_id)


def listing(product: UUID, platform_uid: str, external_listing_id: str) -> str:
    """Return what no two presences of an organization may have."""
    return f"{product}:{platform_uid}:{external_listing_id}"


_REVISABLE = own_fields(PresenceRevised)
_created = attrgetter(*own_fields(PresenceCreated))


def create(
    id: UUID, product: UUID, number: int, values: Mapping[str, Any], stamp: Stamp, rating: Rating | None = None
) -> PresenceCreated:
    """Return the first event of a presence. `values` holds its fields by name, platform and status among them."""
    prices = revised(UNPRICED, values, rating)
    return PresenceCreated(**stamp.on(id, 1), product=product, number=number, **{**values, **prices._asdict()})


def revise(
    presence: Presence, values: Mapping[str, Any], stamp: Stamp, rating: Rating | None = None
) -> list[PresenceEvent]:
    """Return what takes the presence to `values` (fields by name); nothing where all of it holds already."""
    events: list[PresenceEvent] = []
    changed = {k: v for k, v in values.items() if k in _REVISABLE and getattr(presence, k) != v}
    if changed:
        events.append(PresenceRevised(**stamp.on(presence.id, presence.version + 1), **changed))
    prices = revised(presence.prices, values, rating)
    if prices != presence.prices:
        base = stamp.on(presence.id, presence.version + 1 + len(events))
        events.append(PresenceRepriced(**base, **prices._asdict()))
    return events


def reconvert(presence: Presence, stamp: Stamp, rating: Rating) -> list[PresenceEvent]:
    """Return what tells the price in USD by the newest rate; nothing where it was given, or where that is no news."""
    prices = presence.prices
    now = converted(prices, rating) if prices.follows_rate else prices
    if now == prices:
        return []
    return [PresenceRepriced(**stamp.on(presence.id, presence.version + 1), **now._asdict())]


def delete(presence: Presence, stamp: Stamp) -> PresenceDeleted:
    return PresenceDeleted(**stamp.on(presence.id, presence.version + 1))


def evolve(presence: Presence | None, event: DomainEvent) -> Presence | None:
    """Return the state after `event`; None once it is deleted."""
    match event:
        case PresenceCreated():
            return _born(event)
        case PresenceRevised() if presence is not None:
            return _revised(presence, event)
        case PresenceRepriced() | PricePushed() if presence is not None:
            return _repriced(presence, event)
        case PresenceObserved() if presence is not None:
            return replace(_repriced(_standing(presence, event), event), last_checked_at=event.timestamp)
        case PresenceSold() if presence is not None:
            return replace(_moved(presence, event), status=SOLD, sold_with=event.order)
        case PresenceDelisted() if presence is not None:
            return _standing(presence, event)
        case SaleConflicted() | SaleCancelled() if presence is not None:
            return _moved(presence, event)
        case PresenceDeleted():
            return None
    return presence


def _moved(presence: Presence, event: DomainEvent) -> Presence:
    return replace(presence, version=event.originator_version, updated=event.timestamp)


def _revised(presence: Presence, event: PresenceRevised) -> Presence:
    revised = replace(_moved(presence, event), **told(event, _REVISABLE))
    if (revised.platform_uid, revised.external_listing_id) != (presence.platform_uid, presence.external_listing_id):
        # Another listing, which nobody has looked at.
        revised = replace(revised, last_checked_at=None)
    return revised if revised.status == SOLD else replace(revised, sold_with=None)


def _standing(presence: Presence, event: PresenceObserved | PresenceDelisted) -> Presence:
    sold_with = presence.sold_with if event.status == SOLD else None
    return replace(_moved(presence, event), status=event.status, sold_with=sold_with)


def _born(event: PresenceCreated) -> Presence:
    at = event.timestamp
    prices = _prices(event)
    base = (event.originator_id, event.organization, event.originator_version)
    values: tuple[Any, ...] = (*base, *_created(event), at if prices.known else None, None, at, at)
    return Presence(*values)


def _repriced(presence: Presence, event: PresenceRepriced | PricePushed | PresenceObserved) -> Presence:
    prices = _prices(event)
    # Another currency of no price is no news of a price, nor is the same one by another day's rate.
    is_told = (prices.known or presence.prices.known) and prices[:3] != presence.prices[:3]
    moved = event.timestamp if is_told else presence.price_last_updated
    return replace(
        presence,
        version=event.originator_version,
        updated=event.timestamp,
        price_last_updated=moved,
        **prices._asdict(),
    )


def _prices(of: Presence | PresenceCreated | PresenceRepriced | PricePushed | PresenceObserved) -> Prices:
    return Prices(of.listing_price, of.listing_currency, of.listing_price_usd, of.usd_rate_date)


def fold(events: Iterable[DomainEvent]) -> Presence | None:
    presence: Presence | None = None
    for event in events:
        presence = evolve(presence, event)
    return presence

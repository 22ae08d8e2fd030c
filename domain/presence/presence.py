"""The presence: one product on one selling platform. State, decisions, evolve."""

from collections.abc import Iterable, Mapping
from datetime import datetime
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
    PresenceEvent,
    PresenceRepriced,
    PresenceRevised,
)
from domain.presence.prices import UNPRICED, Prices, revised


class Presence(Struct, frozen=True):
    """Between `version` and `price_last_updated` stand the fields of PresenceCreated, in its order.

    `price_last_updated` is None before the first price, `last_checked_at` before the platform was asked.
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
    price_last_updated: datetime | None
    last_checked_at: datetime | None
    created: datetime
    updated: datetime

    @property
    def prices(self) -> Prices:
        return Prices(self.listing_price, self.listing_currency, self.listing_price_usd)

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
    id: UUID, product: UUID, number: int, values: Mapping[str, Any], stamp: Stamp, rate: Decimal | None = None
) -> PresenceCreated:
    """Return the first event of a presence. `values` holds its fields by name, platform and status among them."""
    prices = revised(UNPRICED, values, rate)
    return PresenceCreated(**stamp.on(id, 1), product=product, number=number, **{**values, **prices._asdict()})


def revise(
    presence: Presence, values: Mapping[str, Any], stamp: Stamp, rate: Decimal | None = None
) -> list[PresenceEvent]:
    """Return what takes the presence to `values` (fields by name); nothing where all of it holds already."""
    events: list[PresenceEvent] = []
    changed = {k: v for k, v in values.items() if k in _REVISABLE and getattr(presence, k) != v}
    if changed:
        events.append(PresenceRevised(**stamp.on(presence.id, presence.version + 1), **changed))
    prices = revised(presence.prices, values, rate)
    if prices != presence.prices:
        base = stamp.on(presence.id, presence.version + 1 + len(events))
        events.append(PresenceRepriced(**base, **prices._asdict()))
    return events


def delete(presence: Presence, stamp: Stamp) -> PresenceDeleted:
    return PresenceDeleted(**stamp.on(presence.id, presence.version + 1))


def evolve(presence: Presence | None, event: DomainEvent) -> Presence | None:
    """Return the state after `event`; None once it is deleted."""
    match event:
        case PresenceCreated():
            return _born(event)
        case PresenceRevised() if presence is not None:
            return replace(
                presence, version=event.originator_version, updated=event.timestamp, **told(event, _REVISABLE)
            )
        case PresenceRepriced() if presence is not None:
            return _repriced(presence, event)
        case PresenceDeleted():
            return None
    return presence


def _born(event: PresenceCreated) -> Presence:
    at = event.timestamp
    prices = Prices(event.listing_price, event.listing_currency, event.listing_price_usd)
    base = (event.originator_id, event.organization, event.originator_version)
    values: tuple[Any, ...] = (*base, *_created(event), at if prices.known else None, None, at, at)
    return Presence(*values)


def _repriced(presence: Presence, event: PresenceRepriced) -> Presence:
    prices = Prices(event.listing_price, event.listing_currency, event.listing_price_usd)
    # Another currency of no price is no news of a price.
    moved = event.timestamp if prices.known or presence.prices.known else presence.price_last_updated
    return replace(
        presence,
        version=event.originator_version,
        updated=event.timestamp,
        price_last_updated=moved,
        **prices._asdict(),
    )


def fold(events: Iterable[DomainEvent]) -> Presence | None:
    presence: Presence | None = None
    for event in events:
        presence = evolve(presence, event)
    return presence

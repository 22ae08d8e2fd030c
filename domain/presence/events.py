from datetime import date
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.event import DomainEvent


class PresenceCreated(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A product is, or is going to be, on a platform. `number` is the deployment's own count of presences."""

    TOPIC: ClassVar[str] = "presence.created.v1"

    product: UUID
    number: int
    platform_uid: str
    external_listing_id: str | None = None
    external_url: str | None = None
    image_url: str | None = None
    status: str
    listing_price: Decimal | None = None
    listing_currency: str
    listing_price_usd: Decimal | None = None
    is_selling_enabled: bool = False
    usd_rate_date: date | None = None


class PresenceRevised(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Fields other than prices took new values; a field that is UNSET kept its own."""

    TOPIC: ClassVar[str] = "presence.revised.v1"

    platform_uid: str | UnsetType = UNSET
    external_listing_id: str | UnsetType | None = UNSET
    external_url: str | UnsetType | None = UNSET
    image_url: str | UnsetType | None = UNSET
    status: str | UnsetType = UNSET
    is_selling_enabled: bool | UnsetType = UNSET


class PresenceRepriced(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The prices, all of them as they are now."""

    TOPIC: ClassVar[str] = "presence.repriced.v1"

    listing_price: Decimal | None
    listing_currency: str
    listing_price_usd: Decimal | None
    usd_rate_date: date | None = None


class PresenceDeleted(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "presence.deleted.v1"


PresenceEvent = PresenceCreated | PresenceRevised | PresenceRepriced | PresenceDeleted

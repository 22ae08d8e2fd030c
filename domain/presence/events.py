from datetime import date, datetime
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


class PresenceObserved(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The marketplace shows something else than we had: all of it as it was and as it is now."""

    TOPIC: ClassVar[str] = "presence.observed.v1"

    status: str
    old_status: str
    listing_price: Decimal | None
    old_listing_price: Decimal | None
    listing_currency: str
    old_listing_currency: str
    listing_price_usd: Decimal | None
    usd_rate_date: date | None = None


class PricePushed(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A price that was set here is the marketplace's now. `push` counts what was to be told of this listing."""

    TOPIC: ClassVar[str] = "presence.price-pushed.v1"

    push: int
    listing_price: Decimal
    old_listing_price: Decimal | None
    listing_currency: str
    listing_price_usd: Decimal | None
    usd_rate_date: date | None = None


class _OfSale(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """`order` and `order_line` are the marketplace's; `item` is the copy, None where it is not known which."""

    order: str
    order_line: str
    sale_price: Decimal
    sale_currency: str
    sold_at: datetime
    item: UUID | None = None


class PresenceSold(_OfSale, frozen=True, kw_only=True, omit_defaults=True):
    """It was sold there."""

    TOPIC: ClassVar[str] = "presence.sold.v1"

    old_status: str


class PresenceDelisted(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """We ended it there, or paused it, because the copy was sold: with this order, or None where a client said so."""

    TOPIC: ClassVar[str] = "presence.delisted.v1"

    status: str
    old_status: str
    order: str | None = None


class SaleConflicted(_OfSale, frozen=True, kw_only=True, omit_defaults=True):
    """It was sold there though nothing was left to sell. `first_order` is what sold it, None where none is known."""

    TOPIC: ClassVar[str] = "presence.sale-conflicted.v1"

    first_order: str | None = None


class SaleCancelled(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A sale that was counted came to nothing there. What is here stays as it is, for a person to judge."""

    TOPIC: ClassVar[str] = "presence.sale-cancelled.v1"

    order: str
    order_line: str


PresenceEvent = (
    PresenceCreated
    | PresenceRevised
    | PresenceRepriced
    | PresenceObserved
    | PricePushed
    | PresenceSold
    | PresenceDelisted
    | SaleConflicted
    | SaleCancelled
    | PresenceDeleted
)

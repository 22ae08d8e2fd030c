from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.event import DomainEvent
from domain.image import Image


class ItemCreated(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """One copy of a product came into the inventory. `number` counts the product's items from 1 and is never reused."""

    TOPIC: ClassVar[str] = "inventory.created.v1"

    product: UUID
    number: int
    status: str
    name: str | None = None
    condition_item: str | None = None
    condition_container: str | None = None
    condition_comments: str | None = None
    price_total_usd: Decimal | None = None
    listing_current_price: Decimal | None = None
    price_expected_usd: Decimal | None = None
    manual_sku: str | None = None
    manual_description: str | None = None


class ItemRevised(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Fields took new values; a field that is UNSET kept its own."""

    TOPIC: ClassVar[str] = "inventory.revised.v1"

    status: str | UnsetType = UNSET
    name: str | UnsetType | None = UNSET
    condition_item: str | UnsetType | None = UNSET
    condition_container: str | UnsetType | None = UNSET
    condition_comments: str | UnsetType | None = UNSET
    price_total_usd: Decimal | UnsetType | None = UNSET
    listing_current_price: Decimal | UnsetType | None = UNSET
    price_expected_usd: Decimal | UnsetType | None = UNSET
    manual_sku: str | UnsetType | None = UNSET
    manual_description: str | UnsetType | None = UNSET


class PhotoAdded(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A picture of the item itself was uploaded; it is the last of them."""

    TOPIC: ClassVar[str] = "inventory.photo-added.v1"

    photo: Image


class PhotoRemoved(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "inventory.photo-removed.v1"

    photo: UUID


class ItemDeleted(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "inventory.deleted.v1"


ItemEvent = ItemCreated | ItemRevised | PhotoAdded | PhotoRemoved | ItemDeleted

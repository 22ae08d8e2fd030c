from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.event import DomainEvent
from domain.image import Image

Json = dict[str, Any]


class Credit(Struct, frozen=True):
    """The artist or music label a product names: its id and its name as first spelled."""

    id: UUID
    name: str


class ProductCreated(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "product.created.v1"

    title: str | None
    type: str
    artist: Credit | None = None
    music_label: Credit | None = None
    catalog_number: str | None = None
    sku: str | None = None
    upc: str | None = None
    formats: tuple[str, ...] | None = None
    year: str | None = None
    marketplace_description: str | None = None
    license_type: str | None = None
    license_notes: str | None = None
    tags: tuple[str, ...] = ()
    media_type: str | None = None
    is_mature_content: bool = False
    default_visibility: str | None = None
    default_shop_product: bool = False
    background_color: str | None = None
    enabled_product_types: Json | None = None
    collections: Json | None = None
    price_override_usd: Decimal | None = None
    external_id: str | None = None
    external_id_title: str | None = None


class ProductRevised(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Catalogue fields took new values; a field that is UNSET kept its own."""

    TOPIC: ClassVar[str] = "product.revised.v1"

    title: str | UnsetType | None = UNSET
    artist: Credit | UnsetType | None = UNSET
    music_label: Credit | UnsetType | None = UNSET
    catalog_number: str | UnsetType | None = UNSET
    sku: str | UnsetType | None = UNSET
    upc: str | UnsetType | None = UNSET
    formats: tuple[str, ...] | UnsetType | None = UNSET
    year: str | UnsetType | None = UNSET
    marketplace_description: str | UnsetType | None = UNSET
    license_type: str | UnsetType | None = UNSET
    license_notes: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    media_type: str | UnsetType | None = UNSET
    is_mature_content: bool | UnsetType = UNSET
    default_visibility: str | UnsetType | None = UNSET
    default_shop_product: bool | UnsetType = UNSET
    background_color: str | UnsetType | None = UNSET
    enabled_product_types: Json | UnsetType | None = UNSET
    collections: Json | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    external_id_title: str | UnsetType | None = UNSET


class ProductPriceOverridden(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The seller set a price in USD; None gives the computed price its place back."""

    TOPIC: ClassVar[str] = "product.price-overridden.v1"

    price_override_usd: Decimal | None


class ProductImageReplaced(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The seller uploaded a picture of the product, in the place of another where there was one."""

    TOPIC: ClassVar[str] = "product.image-replaced.v1"

    image: Image


class ProductImageRemoved(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "product.image-removed.v1"


class ProductDeleted(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "product.deleted.v1"


ProductEvent = (
    ProductCreated
    | ProductRevised
    | ProductPriceOverridden
    | ProductImageReplaced
    | ProductImageRemoved
    | ProductDeleted
)

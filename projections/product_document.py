"""The product object that the API answers with."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType

from domain import ids
from domain.choices import PRODUCT_TYPES
from domain.product.product import Product
from projections.documents import (
    OTHER_ALONE,
    PHYSICAL_ALONE,
    SEAM,
    CreditDocument,
    RedbubblePresence,
    credit,
    encode,
    money,
)
from projections.image_document import image_url
from projections.item_document import ItemSummary
from projections.presence_document import PresenceDocument


class PlatformDocument(Struct, frozen=True):
    uid: str
    name: str
    slug: str
    display_name: str
    platform_type: str
    supports_digital: bool
    supports_api_connection: bool
    connection_type: str | None


class Metadata(Struct, frozen=True):
    external_id: str | None
    external_id_title: str | None


class ProductDocument(Struct, frozen=True, kw_only=True):
    """Key order is the API document's. What may be UNSET is the database's to say, between the seams."""

    uid: str
    title: str | None
    type: str
    type_display: str
    artist: CreditDocument | None
    music_label: CreditDocument | None
    catalog_number: str | None
    sku: str | None
    upc: str | None
    formats: tuple[str, ...] | None
    year: str | None
    marketplace_description: str | None
    license_type: str | None
    license_notes: str | None
    tags: tuple[str, ...]
    media_type: str | None
    is_mature_content: bool
    default_visibility: str | None
    default_shop_product: bool
    background_color: str | None
    enabled_product_types: dict[str, Any] | None
    collections: dict[str, Any] | None
    price_computed_usd: str | None
    price_override_usd: str | None
    resolved_identifier: str | None
    resolved_identifier_source: str | None
    product_image: str | None
    total_inventory_count: int | UnsetType = UNSET
    listed_inventory_count: int | UnsetType = UNSET
    available_inventory_count: int | UnsetType = UNSET
    has_primary_asset: bool | UnsetType = UNSET
    inventory_items: tuple[ItemSummary, ...] | UnsetType = UNSET
    available_platforms: tuple[PlatformDocument, ...] | UnsetType = UNSET
    marketplace_presences: tuple[PresenceDocument, ...] | UnsetType = UNSET
    redbubble_presence: RedbubblePresence | UnsetType = UNSET
    metadata: Metadata | None
    created: datetime
    updated: datetime


def _identifier(product: Product) -> tuple[str | None, str | None]:
    for source in ("sku", "upc", "catalog_number", "external_id"):
        if value := getattr(product, source):
            return value, source
    return None, None


# Raw text in the place of values.
_NO_PRICE: Any = Raw(f"{SEAM}null{SEAM}".encode())
_PHYSICAL: Any = Raw(f"{SEAM}null{PHYSICAL_ALONE}{SEAM}".encode())
_OTHER: Any = Raw(f"{SEAM}null{OTHER_ALONE}{SEAM}".encode())


def own_image(product: Product) -> str | None:
    """Return the address of the uploaded picture as JSON with a hole, None without one."""
    return None if product.image is None else image_url(product.image)


def _nested(product: Product) -> Any:
    is_physical = product.type == "physical"
    if product.image is None:
        return _PHYSICAL if is_physical else _OTHER
    return Raw(f"{SEAM}{own_image(product)}{PHYSICAL_ALONE if is_physical else OTHER_ALONE}{SEAM}".encode())


def product_document(product: Product) -> str:
    """Return the object of a product without items and presences as JSON text with its holes and seams."""
    identifier, source = _identifier(product)
    has_metadata = product.external_id is not None or product.external_id_title is not None
    return encode(
        ProductDocument(
            uid=ids.uid(ids.PRODUCT, product.id),
            title=product.title,
            type=product.type,
            type_display=PRODUCT_TYPES[product.type],
            artist=credit(ids.ARTIST, product.artist),
            music_label=credit(ids.LABEL, product.music_label),
            catalog_number=product.catalog_number,
            sku=product.sku,
            upc=product.upc,
            formats=product.formats,
            year=product.year,
            marketplace_description=product.marketplace_description,
            license_type=product.license_type,
            license_notes=product.license_notes,
            tags=product.tags,
            media_type=product.media_type,
            is_mature_content=product.is_mature_content,
            default_visibility=product.default_visibility,
            default_shop_product=product.default_shop_product,
            background_color=product.background_color,
            enabled_product_types=product.enabled_product_types,
            collections=product.collections,
            price_computed_usd=_NO_PRICE,
            price_override_usd=money(product.price_override_usd),
            resolved_identifier=identifier,
            resolved_identifier_source=source,
            product_image=_nested(product),
            metadata=Metadata(product.external_id, product.external_id_title) if has_metadata else None,
            created=product.created,
            updated=product.updated,
        )
    ).decode()

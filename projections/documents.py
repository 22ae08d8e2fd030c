"""The product object that the API answers with, made ahead of time and stored as finished JSON.

Three things are left open as control bytes, which JSON text cannot hold unescaped, and filled in when a document is
answered: what every product of a kind has in common, and the address this deployment is reached at.
"""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from domain import ids
from domain.choices import PRODUCT_TYPES
from domain.platforms import PLATFORMS
from domain.product.events import Credit
from domain.product.product import Product

DOCUMENT_VERSION = 1
"""Part of every ETag: raised when the same state is answered with other bytes."""

PHYSICAL_PLATFORMS, OTHER_PLATFORMS, BASE_URL = "\x01", "\x02", "\x03"

_encode = msgspec.json.Encoder(decimal_format="string").encode


class CreditDocument(Struct, frozen=True):
    uid: str
    name: str


class PlatformDocument(Struct, frozen=True):
    uid: str
    name: str
    slug: str
    display_name: str
    platform_type: str
    supports_digital: bool
    supports_api_connection: bool
    connection_type: str | None


class RedbubblePresence(Struct, frozen=True):
    exists: bool = False
    external_url: str | None = None
    external_listing_id: str | None = None
    status: str | None = None


class Metadata(Struct, frozen=True):
    external_id: str | None
    external_id_title: str | None


class ProductDocument(Struct, frozen=True, kw_only=True):
    """Key order is the API document's."""

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
    total_inventory_count: int
    listed_inventory_count: int
    available_inventory_count: int
    has_primary_asset: bool
    inventory_items: tuple[Any, ...]
    available_platforms: msgspec.Raw
    marketplace_presences: tuple[Any, ...]
    redbubble_presence: RedbubblePresence
    metadata: Metadata | None
    created: datetime
    updated: datetime


def money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _credit(prefix: str, credit: Credit | None) -> CreditDocument | None:
    # By number: a UUID's hash and comparison, and with them a Credit's, are Python code and cost more than the rest.
    return None if credit is None else _credit_document(prefix, credit.id.int, credit.name)


@lru_cache(maxsize=10_000)
def _credit_document(prefix: str, number: int, name: str) -> CreditDocument:
    return CreditDocument(ids.uid(prefix, UUID(int=number)), name)


def _identifier(product: Product) -> tuple[str | None, str | None]:
    for source in ("sku", "upc", "catalog_number", "external_id"):
        if value := getattr(product, source):
            return value, source
    return None, None


_NO_REDBUBBLE = RedbubblePresence()
_PHYSICAL = msgspec.Raw(PHYSICAL_PLATFORMS.encode())
_OTHER = msgspec.Raw(OTHER_PLATFORMS.encode())


def product_document(product: Product) -> str:
    """Return the product object as JSON text with its holes."""
    identifier, source = _identifier(product)
    has_metadata = product.external_id is not None or product.external_id_title is not None
    return _encode(
        ProductDocument(
            uid=ids.uid(ids.PRODUCT, product.id),
            title=product.title,
            type=product.type,
            type_display=PRODUCT_TYPES[product.type],
            artist=_credit(ids.ARTIST, product.artist),
            music_label=_credit(ids.LABEL, product.music_label),
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
            price_computed_usd=None,
            price_override_usd=money(product.price_override_usd),
            resolved_identifier=identifier,
            resolved_identifier_source=source,
            product_image=None,
            total_inventory_count=0,
            listed_inventory_count=0,
            available_inventory_count=0,
            has_primary_asset=False,
            inventory_items=(),
            available_platforms=_PHYSICAL if product.type == "physical" else _OTHER,
            marketplace_presences=(),
            redbubble_presence=_NO_REDBUBBLE,
            metadata=Metadata(product.external_id, product.external_id_title) if has_metadata else None,
            created=product.created,
            updated=product.updated,
        )
    ).decode()


_ALL_PLATFORMS_JSON = _encode(PLATFORMS)
_DIGITAL_PLATFORMS_JSON = _encode([platform for platform in PLATFORMS if platform.supports_digital])


def fill(text: str, base_url: str) -> bytes:
    """Close the holes of one document, or of many in a row. `base_url` has no slash at its end."""
    body = text.encode()
    body = body.replace(b"\x01", _ALL_PLATFORMS_JSON).replace(b"\x02", _DIGITAL_PLATFORMS_JSON)
    return body.replace(b"\x03", base_url.encode())


def etag(revision: int) -> str:
    return f'"{DOCUMENT_VERSION}-{revision}"'

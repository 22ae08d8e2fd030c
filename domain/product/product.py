"""The product: a catalogue entry (an album, a sample pack). State, decisions, evolve."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import NotFound
from domain.event import DomainEvent, Stamp, own_fields, told
from domain.image import Image
from domain.product.events import (
    Credit,
    Json,
    ProductCreated,
    ProductDeleted,
    ProductEvent,
    ProductImageRemoved,
    ProductImageReplaced,
    ProductPriceOverridden,
    ProductRevised,
)


class Product(Struct, frozen=True):
    """Between `version` and `created` stand the fields of ProductCreated, in its order."""

    id: UUID
    organization: UUID
    version: int
    title: str | None
    type: str
    artist: Credit | None
    music_label: Credit | None
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
    enabled_product_types: Json | None
    collections: Json | None
    price_override_usd: Decimal | None
    external_id: str | None
    external_id_title: str | None
    created: datetime
    updated: datetime
    image: Image | None = None


_REVISABLE = own_fields(ProductRevised)
_created = attrgetter(*own_fields(ProductCreated))


def create(id: UUID, values: Mapping[str, Any], stamp: Stamp) -> ProductCreated:
    """Return the first event of a product; `values` holds event fields by name, title and type among them."""
    return ProductCreated(**stamp.on(id, 1), **values)


def revise(product: Product, values: Mapping[str, Any], stamp: Stamp) -> list[ProductEvent]:
    """Return what takes the product to `values` (fields by name); nothing where all of it holds already."""
    events: list[ProductEvent] = []
    changed = {k: v for k, v in values.items() if k in _REVISABLE and getattr(product, k) != v}
    if changed:
        events.append(ProductRevised(**stamp.on(product.id, product.version + 1), **changed))
    price = values.get("price_override_usd", product.price_override_usd)
    if price != product.price_override_usd:
        base = stamp.on(product.id, product.version + 1 + len(events))
        events.append(ProductPriceOverridden(**base, price_override_usd=price))
    return events


def replace_image(product: Product, image: Image, stamp: Stamp) -> ProductImageReplaced:
    return ProductImageReplaced(**stamp.on(product.id, product.version + 1), image=image)


def remove_image(product: Product, stamp: Stamp) -> ProductImageRemoved:
    """Raises NotFound where no picture was uploaded."""
    if product.image is None:
        raise NotFound
    return ProductImageRemoved(**stamp.on(product.id, product.version + 1))


def delete(product: Product, stamp: Stamp) -> ProductDeleted:
    return ProductDeleted(**stamp.on(product.id, product.version + 1))


def evolve(product: Product | None, event: DomainEvent) -> Product | None:
    """Return the state after `event`; None once it is deleted."""
    match event:
        case ProductCreated():
            at = event.timestamp
            base = (event.originator_id, event.organization, event.originator_version)
            values: tuple[Any, ...] = (*base, *_created(event), at, at)
            return Product(*values)
        case ProductRevised() if product is not None:
            return replace(
                product, version=event.originator_version, updated=event.timestamp, **told(event, _REVISABLE)
            )
        case ProductPriceOverridden() if product is not None:
            return replace(
                product,
                version=event.originator_version,
                updated=event.timestamp,
                price_override_usd=event.price_override_usd,
            )
        case ProductImageReplaced() if product is not None:
            return replace(product, version=event.originator_version, updated=event.timestamp, image=event.image)
        case ProductImageRemoved() if product is not None:
            return replace(product, version=event.originator_version, updated=event.timestamp, image=None)
        case ProductDeleted():
            return None
    return product


def fold(events: Iterable[DomainEvent]) -> Product | None:
    product: Product | None = None
    for event in events:
        product = evolve(product, event)
    return product

"""The inventory item: one graded copy of a product. State, decisions, evolve."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import fields, replace

from domain.choices import INVENTORY_STATUSES
from domain.errors import Invalid, NotFound
from domain.event import DomainEvent, Stamp, own_fields, told
from domain.image import Image, Photo
from domain.inventory.events import ItemCreated, ItemDeleted, ItemEvent, ItemRevised, PhotoAdded, PhotoRemoved

MAX_PHOTOS = 100
_GONE, _BEFORE_ARRIVAL = frozenset({"shipped", "archived"}), frozenset({"draft", "ordered"})


class Item(Struct, frozen=True):
    """Between `version` and `photos` stand the fields of ItemCreated, in its order. Photos stand as they came in."""

    id: UUID
    organization: UUID
    version: int
    product: UUID
    number: int
    status: str
    name: str | None
    condition_item: str | None
    condition_container: str | None
    condition_comments: str | None
    price_total_usd: Decimal | None
    listing_current_price: Decimal | None
    price_expected_usd: Decimal | None
    manual_sku: str | None
    manual_description: str | None
    photos: tuple[Photo, ...]
    created: datetime
    updated: datetime


_REVISABLE = own_fields(ItemRevised)
_created = attrgetter(*own_fields(ItemCreated))
_IMAGE = tuple(field.name for field in fields(Image))


def create(id: UUID, product: UUID, number: int, values: Mapping[str, Any], stamp: Stamp) -> ItemCreated:
    """Return the first event of an item; `values` holds its fields by name, status among them."""
    return ItemCreated(**stamp.on(id, 1), product=product, number=number, **values)


def check(item: Item, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what the item's state has against `values`, by field."""
    status = values.get("status")
    if item.status in _GONE and status in _BEFORE_ARRIVAL:
        left, back = INVENTORY_STATUSES[item.status].lower(), INVENTORY_STATUSES[status].lower()
        return {"status": [f"An item that is {left} cannot go back to {back}."]}
    return {}


def revise(item: Item, values: Mapping[str, Any], stamp: Stamp) -> list[ItemEvent]:
    """Return what takes the item to `values` (fields by name), nothing where all of it holds. Raises Invalid."""
    if errors := check(item, values):
        raise Invalid(errors)
    changed = {k: v for k, v in values.items() if k in _REVISABLE and getattr(item, k) != v}
    return [ItemRevised(**stamp.on(item.id, item.version + 1), **changed)] if changed else []


def add_photo(item: Item, photo: Image, stamp: Stamp) -> PhotoAdded:
    """Raises Invalid where the item has as many as it may have."""
    if len(item.photos) >= MAX_PHOTOS:
        raise Invalid({"file": [f"An item has no more than {MAX_PHOTOS} photos."]})
    return PhotoAdded(**stamp.on(item.id, item.version + 1), photo=photo)


def remove_photo(item: Item, photo: UUID, stamp: Stamp) -> PhotoRemoved:
    """Raises NotFound."""
    if all(known.id != photo for known in item.photos):
        raise NotFound
    return PhotoRemoved(**stamp.on(item.id, item.version + 1), photo=photo)


def delete(item: Item, stamp: Stamp) -> ItemDeleted:
    return ItemDeleted(**stamp.on(item.id, item.version + 1))


def evolve(item: Item | None, event: DomainEvent) -> Item | None:
    """Return the state after `event`; None once it is deleted."""
    match event:
        case ItemCreated():
            return _born(event)
        case ItemRevised() if item is not None:
            return _moved(item, event, **told(event, _REVISABLE))
        case PhotoAdded() if item is not None:
            values = {name: getattr(event.photo, name) for name in _IMAGE}
            return _moved(item, event, photos=(*item.photos, Photo(**values, created=event.timestamp)))
        case PhotoRemoved() if item is not None:
            return _moved(item, event, photos=tuple(photo for photo in item.photos if photo.id != event.photo))
        case ItemDeleted():
            return None
    return item


def _born(event: ItemCreated) -> Item:
    at = event.timestamp
    base = (event.originator_id, event.organization, event.originator_version)
    values: tuple[Any, ...] = (*base, *_created(event), (), at, at)
    return Item(*values)


def _moved(item: Item, event: DomainEvent, **values: Any) -> Item:
    return replace(item, version=event.originator_version, updated=event.timestamp, **values)


def fold(events: Iterable[DomainEvent]) -> Item | None:
    item: Item | None = None
    for event in events:
        item = evolve(item, event)
    return item

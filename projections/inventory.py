"""The inventory's read model: `inventory_list`, one row an item with its finished document."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain.choices import INVENTORY_STATUSES, ITEM_CONDITIONS
from domain.inventory.described import title
from domain.inventory.inventory import Item
from domain.product.product import Product
from domain.words import vector
from projections.base import Reader, queries
from projections.guards import Guard, guarded
from projections.image_document import image_url

_SQL = queries("inventory")
_HELD = _SQL["document"] + b" WHERE i.id = %b"
_ONE = _HELD + b" AND i.organization = %b"
STATUS_RANK = {status: rank for rank, status in enumerate(INVENTORY_STATUSES)}
CONDITION_RANK = {grade: rank for rank, grade in enumerate(ITEM_CONDITIONS)}
AVAILABLE = frozenset({"received", "ready-to-sell"})
LISTED = "listed"
_SKU, _CATALOG_NUMBER = 2, 5
"""Among what an item is found by."""

COLUMNS = (
    "id",
    "organization",
    "product",
    "number",
    "revision",
    "title_key",
    "sku_key",
    "status",
    "condition",
    "price",
    "offer",
    "is_listed",
    "is_available",
    "created",
    "updated",
    "photo",
    "search",
    "summary",
    "rest",
)


@lru_cache(maxsize=256)
def _words(organization: int, texts: tuple[str | None, ...]) -> str:
    """Return what an item is found by; mostly that is what other items of its product are found by too."""
    return vector(UUID(int=organization), texts, (texts[_SKU], texts[_CATALOG_NUMBER]))


def item_row(item: Item, product: Product, pieces: tuple[str, str]) -> tuple[Any, ...]:
    """Return the values of COLUMNS. The one place that says what an item looks like in the table."""
    artist = product.artist.name if product.artist else None
    offer = item.listing_current_price if item.listing_current_price is not None else item.price_total_usd
    return (
        item.id,
        item.organization,
        item.product,
        item.number,
        item.version,
        title(item, product).casefold(),
        None if item.manual_sku is None else item.manual_sku.casefold(),
        STATUS_RANK[item.status],
        CONDITION_RANK[item.condition_item] if item.condition_item else None,
        item.price_total_usd,
        offer,
        item.status == LISTED,
        item.status in AVAILABLE,
        item.created,
        item.updated,
        image_url(item.photos[0]) if item.photos else None,
        _words(
            item.organization.int,
            (item.name, item.manual_description, item.manual_sku, product.title, artist, product.catalog_number),
        ),
        *pieces,
    )


def expect(id: UUID, accepts: Callable[[str], bool]) -> Guard:
    """Return a guard that lets a write go on only while `accepts` holds for the item's document.

    Of many writers on one document exactly one passes: it holds the product's row. See guarded.
    """
    return guarded((_SQL["hold_product"], _HELD), id, lambda row: accepts(row["document"]))


async def detail(reader: Reader, organization: UUID, id: UUID) -> str | None:
    """Return one item's document; None where the organization has no such item."""
    found = await reader.row(_ONE, [id, organization])
    return None if found is None else found[0]

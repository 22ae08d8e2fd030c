"""What an item is called, by which SKU it goes and how good it is: derived from it and its product."""

import re

from domain.choices import ITEM_CONDITIONS
from domain.inventory.inventory import Item
from domain.product.product import Product

PRODUCT_FIELDS = ("title", "artist", "catalog_number", "sku")
"""What of a product an item shows: with these its items change."""

_RUNS = re.compile(r"[^\W_]+")
_RANK = {grade: rank for rank, grade in enumerate(ITEM_CONDITIONS)}
_TIERS = {
    "mint": "mint",
    "near_mint": "excellent",
    "vg_plus": "very_good",
    "vg": "good",
    "good_plus": "fair",
    "good": "fair",
    "fair": "poor",
    "poor": "poor",
}


def title(item: Item, product: Product) -> str:
    """Return the item's own name or else its product's title, and its grade where it has one."""
    grade = ITEM_CONDITIONS[item.condition_item] if item.condition_item else None
    return " — ".join(part for part in (item.name or product.title, grade) if part)


def resolved_sku(item: Item, product: Product) -> tuple[str | None, str | None]:
    """Return the SKU and where it comes from: manual, product or generated; None for both where nothing gives one."""
    if item.manual_sku:
        return item.manual_sku, "manual"
    if product.sku:
        return product.sku, "product"
    parts = _RUNS.findall(product.catalog_number or "")
    return (f"{'-'.join(parts)}-{item.number:03}", "generated") if parts else (None, None)


def grade_tier(item: Item) -> str | None:
    """Return a code of GRADE_TIERS after the worse of record and container; None while the record is not graded."""
    if not item.condition_item:
        return None
    grades = [grade for grade in (item.condition_item, item.condition_container) if grade in _RANK]
    return _TIERS[max(grades, key=_RANK.__getitem__)]

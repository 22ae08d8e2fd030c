"""What both peers compute of a record when they answer it: the same words and numbers as Deadwax."""

import re
from collections.abc import Iterable
from decimal import Decimal

from domain.choices import CONTAINER_CONDITIONS, ITEM_CONDITIONS

AVAILABLE = frozenset({"received", "ready-to-sell"})
LISTED = "listed"
ENDED = frozenset({"ended", "removed", "sold"})
IDENTIFIERS = ("sku", "upc", "catalog_number", "external_id")

_GRADES = list(ITEM_CONDITIONS)
_TIERS = {
    "mint": ("mint", "Mint"),
    "near_mint": ("excellent", "Excellent"),
    "vg_plus": ("very_good", "Very Good"),
    "vg": ("good", "Good"),
    "good_plus": ("fair", "Fair"),
    "good": ("fair", "Fair"),
    "fair": ("poor", "Poor"),
    "poor": ("poor", "Poor"),
}
_RUNS = re.compile(r"[^\W_]+")


def item_title(name: str | None, product_title: str | None, condition: str | None) -> str | None:
    base = name or product_title
    if base is None or condition is None:
        return base
    return f"{base} — {ITEM_CONDITIONS[condition]}"


def condition_label(condition: str | None) -> str | None:
    return None if condition is None else CONTAINER_CONDITIONS[condition]


def resolved_sku(
    manual: str | None, product_sku: str | None, catalog_number: str | None, number: int
) -> tuple[str | None, str | None]:
    """Return the SKU and where it is from."""
    if manual:
        return manual, "manual"
    if product_sku:
        return product_sku, "product"
    if catalog_number:
        return f"{'-'.join(_RUNS.findall(catalog_number))}-{number:03d}", "generated"
    return None, None


def tier(item: str | None, container: str | None) -> tuple[str | None, str | None]:
    """Return code and label of the worse of the two grades; an item without one has none."""
    if item is None:
        return None, None
    worse = item
    if container in _TIERS and _GRADES.index(container) > _GRADES.index(item):
        worse = container
    return _TIERS[worse]


def computed_price(
    items: Iterable[tuple[str, Decimal | None, Decimal | None]], presences: Iterable[tuple[str, Decimal | None]]
) -> Decimal | None:
    """Return the lowest price of items (status, listing price, total price), else of presences (status, price)."""
    prices = [
        price
        for status, listing, total in items
        if (status == LISTED or status in AVAILABLE) and (price := total if listing is None else listing) is not None
    ]
    prices = prices or [price for status, price in presences if status == "active" and price is not None]
    return min(prices, default=None)

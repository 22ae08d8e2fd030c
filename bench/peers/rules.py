"""What both peers say of a record beside what it holds. What an item is called and goes by is the domain's to say."""

from collections.abc import Iterable
from decimal import Decimal

from domain.choices import CONTAINER_CONDITIONS

AVAILABLE = frozenset({"received", "ready-to-sell"})
LISTED = "listed"
ENDED = frozenset({"ended", "removed", "sold"})
IDENTIFIERS = ("sku", "upc", "catalog_number", "external_id")


def condition_label(condition: str | None) -> str | None:
    return None if condition is None else CONTAINER_CONDITIONS[condition]


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

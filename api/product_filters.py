"""The query of the product list."""

from typing import Any

from msgspec.structs import replace

from api.cursors import walk_asked
from api.filters import Filters
from api.pages import page_number, page_size
from api.requests import Query
from domain.choices import INVENTORY_STATUSES, PRODUCT_TYPES
from projections.product_page import DEFAULT_ORDER, ORDERS, ProductQuery

PAGE_SIZE = 15


def product_query(query: Query) -> ProductQuery:
    """Raises Invalid with every filter that is wrong, InvalidPage, InvalidCursor."""
    if not query.parts:
        return _PLAIN
    given = Filters(query)
    filters: dict[str, Any] = {
        "search": given.text("search"),
        "types": given.choices("type", PRODUCT_TYPES),
        "statuses": given.choices("status", INVENTORY_STATUSES),
        "tags": given.texts("tags"),
        "has_inventory": given.flag("has_inventory"),
        "has_available_inventory": given.flag("has_available_inventory"),
        "uploadable_to_redbubble": given.flag("uploadable_to_redbubble"),
        "ordering": given.orders(ORDERS, DEFAULT_ORDER),
    }
    given.check()
    asked = ProductQuery(**filters, page_size=page_size(query, PAGE_SIZE))
    return walk_asked(query, asked, ORDERS) or replace(asked, page=page_number(query))


_PLAIN = ProductQuery(page_size=PAGE_SIZE)

"""The query of the inventory list."""

from typing import Any

from msgspec.structs import replace

from api.cursors import walk_asked
from api.filters import Filters
from api.pages import page_number, page_size
from api.requests import Query
from domain import ids
from domain.choices import INVENTORY_STATUSES
from projections.inventory_page import DEFAULT_ORDER, ORDERS, InventoryQuery

PAGE_SIZE = 10
_NO_PRODUCT = ids.parse(ids.PRODUCT, ids.PRODUCT + "0" * 26)


def inventory_query(query: Query) -> InventoryQuery:
    """Raises Invalid with every filter that is wrong, InvalidPage, InvalidCursor.

    A product that is none has no items.
    """
    given = Filters(query)
    product = given.text("product_uid")
    filters: dict[str, Any] = {
        "search": given.text("search"),
        "statuses": given.choices("status", INVENTORY_STATUSES),
        "product": None if product is None else ids.parse(ids.PRODUCT, product) or _NO_PRODUCT,
        "ordering": given.orders(ORDERS, DEFAULT_ORDER),
    }
    given.check()
    asked = InventoryQuery(**filters, page_size=page_size(query, PAGE_SIZE))
    return walk_asked(query, asked, ORDERS) or replace(asked, page=page_number(query))

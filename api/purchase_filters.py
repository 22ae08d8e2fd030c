"""The query of the purchases' list."""

from typing import Any

from msgspec.structs import replace

from api.cursors import walk_asked
from api.filters import Filters
from api.pages import page_number, page_size
from api.requests import Query
from commands.mail_address import address_key
from domain import ids
from domain.choices import PURCHASE_STATUSES
from projections.purchase_page import DEFAULT_ORDER, ORDERS, PurchaseQuery

PAGE_SIZE = 15
_NO_PRODUCT = ids.parse(ids.PRODUCT, ids.PRODUCT + "0" * 26)


def purchase_query(query: Query) -> PurchaseQuery:
    """Raises Invalid with every filter that is wrong, InvalidPage, InvalidCursor.

    A product that is none was not bought, an address that is none has bought nothing.
    """
    given = Filters(query)
    product, buyer = given.text("product_uid"), given.text("buyer_email")
    filters: dict[str, Any] = {
        "product": None if product is None else ids.parse(ids.PRODUCT, product) or _NO_PRODUCT,
        "buyer": None if buyer is None else address_key(buyer),
        "statuses": given.choices("status", PURCHASE_STATUSES),
        "ordering": given.orders(ORDERS, DEFAULT_ORDER),
    }
    given.check()
    asked = PurchaseQuery(**filters, page_size=page_size(query, PAGE_SIZE))
    return walk_asked(query, asked, ORDERS) or replace(asked, page=page_number(query))

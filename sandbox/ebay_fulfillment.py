"""eBay's Fulfillment API: orders by date, page by page; an offset counts what is in them."""

import re
from datetime import datetime, timedelta

from sandbox.ebay_shop import EbayShop
from sandbox.ebay_wire import number, refused
from sandbox.wire import Reply, Request, answered

PATH = "/sell/fulfillment/v1/order"
MAX_ORDERS = 200
_MODIFIED = re.compile(r"(lastmodifieddate|creationdate):\[([^.\]]+\.\d{3}Z)?\.\.([^.\]]+\.\d{3}Z)?\]\Z")


def order_page(shop: EbayShop, request: Request, now: datetime) -> Reply:
    limit, offset = number(request, "limit", 50), number(request, "offset", 0)
    if not 1 <= limit <= MAX_ORDERS:
        raise refused(400, 30700, "Invalid limit.", "parameter", "API_FULFILLMENT")
    field, start, end = "creationDate", now - timedelta(days=90), now
    if (text := request.parameter("filter")) is not None:
        filters = [match for part in text.split(",") if (match := _MODIFIED.match(part)) is not None]
        if len(filters) != len(text.split(",")):
            raise refused(400, 30700, "Invalid filter.", "parameter", "API_FULFILLMENT")
        # The date of creation wins where both are given.
        chosen = min(filters, key=lambda match: str(match[1]))
        field = "creationDate" if chosen[1] == "creationdate" else "lastModifiedDate"
        start = datetime.fromisoformat(chosen[2]) if chosen[2] else start
        end = datetime.fromisoformat(chosen[3]) if chosen[3] else end
        if start < now - timedelta(days=731):
            raise refused(400, 30850, "The range begins too long ago.", "parameter", "API_FULFILLMENT")
    found = [order for order in shop.orders if start <= datetime.fromisoformat(order[field]) <= end]
    found.sort(key=lambda order: datetime.fromisoformat(order[field]))
    page = found[offset : offset + limit]
    shown = {"href": request.path, "total": len(found), "limit": limit, "offset": offset, "orders": page}
    if offset + limit < len(found):
        shown["next"] = f"{request.path}?limit={limit}&offset={offset + limit}"
    return answered(shown)

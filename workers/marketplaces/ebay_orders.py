"""What was sold on eBay: orders by when they last changed, line by line."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from domain.presence.listing import Sale
from workers.marketplaces.base import Moment, Transient
from workers.marketplaces.ebay_api import EbayApi, Query, error_ids, refusal
from workers.marketplaces.ebay_offers import Price
from workers.marketplaces.money import Implausible, amount, share

PAGE = 200
OLDEST = timedelta(days=729)
"""Two years are what eBay looks back."""
READINGS = 3


class _Line(Struct, rename="camel"):
    line_item_id: str
    line_item_cost: Price
    legacy_item_id: str = ""
    sku: str | None = None
    quantity: int = 1


class _Cancel(Struct, rename="camel"):
    cancel_state: str = ""


class _Order(Struct, rename="camel"):
    order_id: str
    creation_date: Moment
    last_modified_date: Moment
    order_payment_status: str = ""
    cancel_status: _Cancel | None = None
    line_items: Sequence[_Line] = ()

    @property
    def is_cancelled(self) -> bool:
        state = self.cancel_status.cancel_state if self.cancel_status else ""
        return state in {"CANCELED", "CANCELLED"} or self.order_payment_status == "FAILED"


class _Page(Struct):
    total: int
    orders: Sequence[_Order] = ()


class EbayOrders:
    def __init__(self, api: EbayApi) -> None:
        self._api = api

    def since(self, moment: datetime) -> Iterator[Sale]:
        """See Account.orders."""
        orders = self._all(max(moment, self._api.gate.now() - OLDEST))
        for order in sorted(orders, key=lambda order: order.last_modified_date):
            for line in order.line_items:
                yield from self._sales(order, line)

    def _all(self, moment: datetime) -> Sequence[_Order]:
        """Return all of them. One that moves while they are read takes another's place, which is then in no page: so
        they are read again until as many were read as there are.
        """
        since = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for _ in range(READINGS):
            found: dict[str, _Order] = {}
            offset = 0
            while True:
                query: Query = {"filter": f"lastmodifieddate:[{since}..]", "limit": PAGE, "offset": offset}
                reply = self._api.asked("GET", "fulfillment", "/order", query=query)
                if reply.status != 200:
                    raise refusal("show the orders", reply.status, error_ids(reply))
                page = self._api.gate.read(reply, _Page)
                found |= {order.order_id: order for order in page.orders}
                offset += PAGE
                if offset >= page.total or not page.orders:
                    break
            if len(found) >= page.total:
                return list(found.values())
        raise Transient("The orders changed while they were read.")

    def _sales(self, order: _Order, line: _Line) -> Iterator[Sale]:
        """Yield a line's copies, each as a line of its own: the cost of a line is that of all of them."""
        cost = line.line_item_cost
        try:
            price = share(amount(cost.value, cost.currency), line.quantity)
        except Implausible as error:
            raise self._api.gate.failed("The answer is not what it should be.") from error
        for copy in range(line.quantity):
            yield Sale(
                order=order.order_id,
                line=line.line_item_id + (f"/{copy + 1}" if copy else ""),
                listing=line.legacy_item_id,
                sku=line.sku,
                price=price,
                currency=cost.currency,
                sold=order.creation_date,
                moved=order.last_modified_date,
                is_cancelled=order.is_cancelled,
            )

"""What was sold on Discogs: orders by their last activity, the newest first."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count

from msgspec import Struct

from domain.presence.listing import Sale
from workers.marketplaces.base import Moment, Permanent, Reconnect, Transient
from workers.marketplaces.discogs_api import DiscogsApi, Query
from workers.marketplaces.discogs_listings import Price
from workers.marketplaces.money import Implausible, amount

PAGE = 100


class _Item(Struct):
    id: int
    price: Price


class _Order(Struct):
    id: str
    status: str
    created: Moment
    last_activity: Moment
    items: Sequence[_Item] = ()

    @property
    def is_cancelled(self) -> bool:
        # What is merged is sold by the order that it went into.
        return self.status.startswith("Cancelled") or self.status == "Merged"


class _Pagination(Struct):
    pages: int


class _Page(Struct):
    pagination: _Pagination
    orders: Sequence[_Order]


class DiscogsOrders:
    def __init__(self, api: DiscogsApi) -> None:
        self._api = api

    def since(self, moment: datetime) -> Iterator[Sale]:
        """See Account.orders."""
        for order in sorted(self._all(moment), key=lambda order: order.last_activity):
            for item in order.items:
                yield self._sale(order, item)

    def _all(self, moment: datetime) -> Sequence[_Order]:
        # An order that moves meanwhile comes to the front: the others are seen twice, and none is missed.
        found: dict[str, _Order] = {}
        for number in count(1):
            query: Query = {"sort": "last_activity", "sort_order": "desc", "per_page": PAGE, "page": number}
            reply = self._api.asked("GET", "/marketplace/orders", query=query)
            if reply.status == 404 and number > 1:
                # There are fewer pages than a moment ago.
                break
            if reply.status == 403:
                raise Reconnect("The marketplace refused the credentials (status 403).")
            if reply.status != 200:
                raise Permanent(f"Discogs does not show the orders (status {reply.status}).")
            page = self._api.gate.read(reply, _Page)
            for order in page.orders:
                if order.last_activity >= moment:
                    found.setdefault(order.id, order)
            if number >= page.pagination.pages or any(order.last_activity < moment for order in page.orders):
                break
        return list(found.values())

    def _sale(self, order: _Order, item: _Item) -> Sale:
        try:
            price = amount(item.price.value, item.price.currency)
        except Implausible as error:
            raise self._failed() from error
        return Sale(
            order=order.id,
            # An order has a listing once.
            line=str(item.id),
            listing=str(item.id),
            sku=None,
            price=price,
            currency=item.price.currency,
            sold=order.created.astimezone(UTC),
            moved=order.last_activity.astimezone(UTC),
            is_cancelled=order.is_cancelled,
        )

    def _failed(self) -> Transient:
        return self._api.gate.failed("The answer is not what it should be.")

"""A double of api.discogs.com: listings, inventory and orders of one seller, its limits and its peculiarities.

A listing's `price` is shown in the currency of whoever asks, `original_price` in the seller's; a POST replaces all of
it and lets `allow_offers` fall to false; 60 requests a minute and address, 25 without a key, in a moving window.
"""

import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.clock import Clock
from sandbox.discogs_oauth import DiscogsOAuth
from sandbox.discogs_refusals import MESSAGES, refused
from sandbox.discogs_shop import (
    CONDITIONS,
    EDITABLE,
    ORDER_STATUSES,
    SLEEVE_CONDITIONS,
    STATUSES,
    DiscogsShop,
    content,
    plain,
)
from sandbox.vendor import Vendor
from sandbox.wire import Refusal, Reply, Request, answered

WINDOW_SECONDS, LIMIT, LIMIT_WITHOUT_KEY = 60.0, 60, 25
MAX_PER_PAGE, PER_PAGE = 100, 50
CURRENCIES = ("USD", "GBP", "EUR", "CAD", "AUD", "JPY", "CHF", "MXN", "BRL", "NZD", "SEK", "ZAR")
ACCEPT = ("application/vnd.discogs.v2.discogs+json", "application/vnd.discogs.v2.html+json")
_LISTING = re.compile(r"/marketplace/listings/(\d{1,18})\Z")
_INVENTORY = re.compile(r"/users/([^/]+)/inventory\Z")
_LIBRARY = re.compile(r"(python-|curl/|httpx|wget|aiohttp|okhttp|java/|go-http)", re.IGNORECASE)
_TOKEN = re.compile(r"Discogs token=(\S+)\Z")
_KEY = re.compile(r"Discogs key=([^,\s]+), ?secret=(\S+)\Z")
_RATE_TO_USD = {"USD": Decimal(1), "EUR": Decimal("1.2195"), "GBP": Decimal("1.35"), "JPY": Decimal("0.0067")}


class Discogs(Vendor):
    """One seller, `username`, who sells in `currency` and is shown others' prices in `buyer_currency`."""

    name = "discogs"
    kinds_of_fault = frozenset({"wrong_currency", "sold"})

    def __init__(
        self,
        clock: Clock,
        *,
        username: str = "seller",
        currency: str = "EUR",
        buyer_currency: str = "USD",
    ) -> None:
        super().__init__(clock)
        self.token = "discogs-token"  # noqa: S105 - it opens a test server
        self.shop = DiscogsShop(clock, username, currency)
        self.buyer_currency = buyer_currency
        self.oauth = DiscogsOAuth(clock, username)
        self._requests: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._limits: dict[str, tuple[int, int]] = {}

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/authorize":
            # On www.discogs.com, where browsers are: neither counted nor refused for what they call themselves.
            return self.oauth.answer(request)
        agent = request.headers.get("user-agent", "")
        if not agent or _LIBRARY.match(agent):
            raise Refusal(Reply(403, hangs=0.0), "user_agent")
        caller = self._caller(request)
        self._spend(request.client, LIMIT if caller != "nobody" else LIMIT_WITHOUT_KEY)
        accept = request.headers.get("accept", "*/*")
        if "*/*" not in accept and "application/json" not in accept and not any(kind in accept for kind in ACCEPT):
            raise refused(422, "Unsupported media type.", "accept")
        if request.path.startswith("/oauth/") and request.path != "/oauth/identity":
            return self.oauth.answer(request)
        if caller == "wrong":
            raise refused(401, violation="authorization")
        return self._routed(request, is_seller=caller == "seller")

    def dressed(self, request: Request, reply: Reply) -> Reply:
        limit, used = self._limits.get(request.client, (LIMIT_WITHOUT_KEY, 0))
        counted = {
            "X-Discogs-Ratelimit": str(limit),
            "X-Discogs-Ratelimit-Used": str(used),
            "X-Discogs-Ratelimit-Remaining": str(max(0, limit - used)),
        }
        return reply._replace(headers={**counted, **reply.headers})

    def failing(self, status: int) -> Any:
        return {"message": MESSAGES.get(status, "An internal server error occurred.")}

    def _spend(self, client: str, limit: int) -> None:
        now, seen = self.clock.now(), self._requests[client]
        while seen and seen[0] <= now - timedelta(seconds=WINDOW_SECONDS):
            seen.popleft()
        if len(seen) >= limit:
            self._limits[client] = (limit, len(seen))
            raise refused(429, violation="rate_limit")
        seen.append(now)
        self._limits[client] = (limit, len(seen))

    def _caller(self, request: Request) -> str:
        given = request.headers.get("authorization")
        if given is None:
            return "nobody"
        if found := _TOKEN.match(given):
            return "seller" if found[1] == self.token else "wrong"
        if found := _KEY.match(given):
            # It may read what everybody may, at the pace of who is known, and act for nobody.
            return "application" if (found[1], found[2]) == self.oauth.consumer else "wrong"
        if given.startswith("OAuth "):
            return "seller" if self.oauth.is_signed(given) else "wrong"
        return "wrong"

    def _routed(self, request: Request, *, is_seller: bool) -> Reply:
        method, path = request.method, request.path
        if found := _LISTING.match(path):
            listing = self.shop.listings.get(int(found[1]))
            if method not in {"GET", "POST", "DELETE"}:
                raise refused(405, violation="method")
            if listing is None or listing["status"] == "Deleted":
                raise refused(404)
            if method == "GET":
                if not is_seller and listing["status"] != "For Sale":
                    raise refused(404)
                return answered(self._shown(listing, request, is_seller=is_seller))
            self._seller_only(is_seller)
            return self._edit(listing, request) if method == "POST" else self._delete(listing)
        if path == "/marketplace/listings" and method == "POST":
            self._seller_only(is_seller)
            made = self.shop.make(self._said(request))
            url = f"https://api.discogs.com/marketplace/listings/{made['id']}"
            return answered({"listing_id": made["id"], "resource_url": url}, 201)
        if path == "/oauth/identity" and method == "GET":
            self._seller_only(is_seller)
            resource = f"https://api.discogs.com/users/{self.shop.username}"
            return answered(
                {"id": 1, "username": self.shop.username, "resource_url": resource, "consumer_name": "Deadwax sandbox"}
            )
        if (found := _INVENTORY.match(path)) and method == "GET":
            return self._inventory(request, found[1], is_seller=is_seller)
        if path == "/marketplace/orders" and method == "GET":
            self._seller_only(is_seller)
            return self._order_page(request)
        raise refused(404, violation="path")

    def _seller_only(self, is_seller: bool) -> None:
        if not is_seller:
            raise refused(401, violation="authorization")

    def _said(self, request: Request) -> dict[str, Any]:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise refused(422, "Invalid content type.", "content_type")
        try:
            said = json.loads(request.body, parse_float=Decimal)
        except ValueError:
            raise refused(422, "Malformed JSON.", "body") from None
        if not isinstance(said, dict):
            raise refused(422, "Expected an object.", "body")
        self._check(said)
        return said

    def _check(self, said: dict[str, Any]) -> None:
        wrong = [name for name in ("release_id", "condition", "price", "status") if name not in said]
        if wrong:
            raise refused(422, f"Missing: {', '.join(wrong)}.", "body")
        price = said["price"]
        if isinstance(price, bool) or not isinstance(price, int | Decimal) or price <= 0:
            raise refused(422, "Invalid price.", "body")
        if isinstance(price, Decimal) and price != price.quantize(
            Decimal(1) if self.shop.currency == "JPY" else Decimal("0.01")
        ):
            raise refused(422, "Invalid price.", "body")
        if said["condition"] not in CONDITIONS or said.get("sleeve_condition", "Generic") not in SLEEVE_CONDITIONS:
            raise refused(422, "Invalid condition.", "body")
        if said["status"] not in {"For Sale", "Draft"}:
            raise refused(422, "Invalid status.", "body")

    def _edit(self, listing: dict[str, Any], request: Request) -> Reply:
        said = self._said(request)
        if listing["id"] in self.shop.others:
            raise refused(403, violation="owner")
        if request.fault == "sold" and listing["status"] == "For Sale":
            # A buyer was faster.
            self.shop.sell({"listing_id": listing["id"]})
        if listing["status"] not in EDITABLE:
            raise refused(403, "This listing cannot be edited.")
        if said["release_id"] != listing["release_id"]:
            raise refused(422, "Invalid release.", "body")
        # Not a patch: what is not said is as if it had never been.
        listing.update(content(said))
        return Reply(204)

    def _delete(self, listing: dict[str, Any]) -> Reply:
        listing["status"] = "Deleted"
        return Reply(204)

    def _shown(self, listing: Mapping[str, Any], request: Request, *, is_seller: bool) -> dict[str, Any]:
        currency = request.parameter("curr_abbr") or (self.buyer_currency if is_seller else "USD")
        if currency not in CURRENCIES:
            raise refused(422, "Invalid currency.", "parameter")
        own, is_others = self.shop.currency, listing["id"] in self.shop.others
        if request.fault == "wrong_currency":
            own = next(code for code in ("GBP", "JPY") if code != self.shop.currency)
        shown = {
            "id": listing["id"],
            "status": listing["status"],
            "price": {"value": float(_converted(listing["price"], self.shop.currency, currency)), "currency": currency},
            "original_price": {
                "value": float(listing["price"]),
                "curr_abbr": own,
                "curr_id": CURRENCIES.index(own) + 1,
                "formatted": f"{own} {listing['price']}",
            },
            "allow_offers": listing["allow_offers"],
            "condition": listing["condition"],
            "sleeve_condition": listing["sleeve_condition"],
            "posted": listing["posted"],
            "ships_from": "Germany",
            "uri": f"https://www.discogs.com/sell/item/{listing['id']}",
            "comments": listing["comments"],
            "seller": {"username": "another" if is_others else self.shop.username},
            "release": {"id": listing["release_id"], "description": f"Release {listing['release_id']}"},
            "resource_url": f"https://api.discogs.com/marketplace/listings/{listing['id']}",
        }
        own_fields = ("weight", "format_quantity", "external_id", "location")
        return shown | ({name: listing[name] for name in own_fields} if is_seller and not is_others else {})

    def _inventory(self, request: Request, username: str, *, is_seller: bool) -> Reply:
        if username != self.shop.username:
            raise refused(404)
        status = request.parameter("status")
        if status is not None and status not in {"All", *STATUSES}:
            raise refused(422, "Invalid status.", "parameter")
        own = [listing for id, listing in self.shop.listings.items() if id not in self.shop.others]
        found = [listing for listing in own if listing["status"] != "Deleted"]
        if not is_seller:
            found = [listing for listing in found if listing["status"] == "For Sale"]
        elif status not in {None, "All"}:
            found = [listing for listing in found if listing["status"] == status]
        page, pagination, headers = self._paged(request, found)
        # In the seller's currency, here.
        shown = [self._shown(listing, request, is_seller=is_seller) for listing in page]
        for listing in shown:
            listing["price"] = {"value": listing["original_price"]["value"], "currency": self.shop.currency}
        return answered({"pagination": pagination, "listings": shown}, headers=headers)

    def _order_page(self, request: Request) -> Reply:
        status, sort = request.parameter("status"), request.parameter("sort") or "last_activity"
        if sort not in {"id", "buyer", "created", "status", "last_activity"}:
            raise refused(422, "Invalid sort.", "parameter")
        if (request.parameter("sort_order") or "asc") not in {"asc", "desc"}:
            raise refused(422, "Invalid sort order.", "parameter")
        if status is not None and status not in {"All", *ORDER_STATUSES}:
            raise refused(422, "Invalid status.", "parameter")
        found = [order for order in self.shop.orders if status in {None, "All", order["status"]}]
        for name, after in (("created_after", True), ("created_before", False)):
            if (bound := request.parameter(name)) is not None:
                try:
                    moment = datetime.fromisoformat(bound)
                except ValueError:
                    raise refused(422, f"Invalid {name}.", "parameter") from None
                found = [o for o in found if (datetime.fromisoformat(o["created"]) > moment) is after]
        if sort in {"last_activity", "created"}:
            found.sort(key=lambda order: datetime.fromisoformat(order[sort]))
        if request.parameter("sort_order") == "desc":
            found.reverse()
        page, pagination, headers = self._paged(request, found)
        return answered({"pagination": pagination, "orders": page}, headers=headers)

    def _paged(
        self, request: Request, found: list[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]:
        number, size = _number(request, "page", 1), _number(request, "per_page", PER_PAGE)
        if size > MAX_PER_PAGE:
            self.violations["per_page"] += 1
            size = MAX_PER_PAGE
        pages = max(1, -(-len(found) // size))
        if number > pages:
            raise refused(404)
        base = f"https://api.discogs.com{request.path}?per_page={size}&page="
        urls = {"next": f"{base}{number + 1}", "last": f"{base}{pages}"} if number < pages else {}
        pagination = {"page": number, "pages": pages, "items": len(found), "per_page": size, "urls": urls}
        links = ", ".join(f'<{url}>; rel="{rel}"' for rel, url in urls.items())
        return found[(number - 1) * size : number * size], pagination, {"Link": links} if links else {}

    def state(self) -> dict[str, Any]:
        return {"listings": [plain(listing) for listing in self.shop.listings.values()], "orders": self.shop.orders}

    def deeds(self) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        return {
            "listings": self.shop.add,
            "sales": self.shop.sell,
            "prices": self.shop.reprice,
            "statuses": self.shop.set_status,
            "settle": self.shop.settle,
            "revoke": self._revoke,
        }

    def _revoke(self, _: dict[str, Any]) -> Any:
        self.oauth.revoke()
        return {}


def _converted(amount: Decimal, own: str, shown: str) -> Decimal:
    if own == shown:
        return amount
    return (amount * _RATE_TO_USD.get(own, Decimal(1)) / _RATE_TO_USD.get(shown, Decimal(1))).quantize(Decimal("0.01"))


def _number(request: Request, name: str, default: int) -> int:
    text = request.parameter(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise refused(422, f"Invalid {name}.", "parameter")
    return int(text)

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
from urllib.parse import unquote

from sandbox.clock import Clock
from sandbox.vendor import Vendor
from sandbox.wire import Refusal, Reply, Request, answered

WINDOW_SECONDS, LIMIT, LIMIT_WITHOUT_KEY = 60.0, 60, 25
MAX_PER_PAGE, PER_PAGE = 100, 50
CURRENCIES = ("USD", "GBP", "EUR", "CAD", "AUD", "JPY", "CHF", "MXN", "BRL", "NZD", "SEK", "ZAR")
STATUSES = ("Draft", "For Sale", "Sold", "Expired", "Suspended", "Violation", "Deleted")
EDITABLE = ("For Sale", "Draft", "Expired")
CONDITIONS = (
    "Mint (M)",
    "Near Mint (NM or M-)",
    "Very Good Plus (VG+)",
    "Very Good (VG)",
    "Good Plus (G+)",
    "Good (G)",
    "Fair (F)",
    "Poor (P)",
)
SLEEVE_CONDITIONS = (*CONDITIONS, "Generic", "Not Graded", "No Cover")
ORDER_STATUSES = (
    "New Order",
    "Buyer Contacted",
    "Invoice Sent",
    "Payment Pending",
    "Payment Received",
    "In Progress",
    "Shipped",
    "Merged",
    "Order Changed",
    "Refund Sent",
    "Cancelled",
    "Cancelled (Non-Paying Buyer)",
    "Cancelled (Item Unavailable)",
    "Cancelled (Per Buyer's Request)",
    "Cancelled (Refund Received)",
)
ACCEPT = ("application/vnd.discogs.v2.discogs+json", "application/vnd.discogs.v2.html+json")
_LISTING = re.compile(r"/marketplace/listings/(\d{1,18})\Z")
_INVENTORY = re.compile(r"/users/([^/]+)/inventory\Z")
_LIBRARY = re.compile(r"(python-|curl/|httpx|wget|aiohttp|okhttp|java/|go-http)", re.IGNORECASE)
_TOKEN = re.compile(r"Discogs token=(\S+)\Z")
_KEY = re.compile(r"Discogs key=([^,\s]+), ?secret=(\S+)\Z")
_RATE_TO_USD = {"USD": Decimal(1), "EUR": Decimal("1.2195"), "GBP": Decimal("1.35"), "JPY": Decimal("0.0067")}
_MESSAGES = {
    401: "You must authenticate to access this resource.",
    403: "You don't have permission to access this resource.",
    404: "The request resource was not found.",
    405: "The requested method is not allowed for this resource.",
    422: "Invalid request.",
    429: "You are making requests too quickly.",
    500: "An internal server error occurred.",
}


def refused(status: int, message: str = "", violation: str | None = None) -> Refusal:
    headers = {"WWW-Authenticate": "OAuth"} if status == 401 else {}
    return Refusal(answered({"message": message or _MESSAGES[status]}, status, headers), violation)


class Discogs(Vendor):
    """One seller, `username`, who sells in `currency` and is shown others' prices in `buyer_currency`."""

    name = "discogs"
    kinds_of_fault = frozenset({"wrong_currency"})

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
        self.username = username
        self.currency = currency
        self.buyer_currency = buyer_currency
        self.consumer = ("consumer-key", "consumer-secret")
        self.listings: dict[int, dict[str, Any]] = {}
        self.orders: list[dict[str, Any]] = []
        self._next_listing = 172_723_812
        self._requests: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._limits: dict[str, tuple[int, int]] = {}
        self._request_tokens: dict[str, dict[str, str]] = {}
        self._access_tokens: dict[str, str] = {}

    def answer(self, request: Request) -> Reply:
        agent = request.headers.get("user-agent", "")
        if not agent or _LIBRARY.match(agent):
            raise Refusal(Reply(403, hangs=0.0), "user_agent")
        caller = self._caller(request)
        self._spend(request.client, LIMIT if caller != "nobody" else LIMIT_WITHOUT_KEY)
        accept = request.headers.get("accept", "*/*")
        if "*/*" not in accept and "application/json" not in accept and not any(kind in accept for kind in ACCEPT):
            raise refused(422, "Unsupported media type.", "accept")
        if request.path.startswith("/oauth/") and request.path != "/oauth/identity":
            return self._oauth(request)
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
        return {"message": _MESSAGES.get(status, "An internal server error occurred.")}

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
            return "application" if (found[1], found[2]) == self.consumer else "wrong"
        if given.startswith("OAuth "):
            said = _oauth_fields(given)
            secret = self._access_tokens.get(said.get("oauth_token", ""))
            is_signed = secret is not None and said.get("oauth_signature") == f"{self.consumer[1]}&{secret}"
            return "seller" if is_signed and said.get("oauth_consumer_key") == self.consumer[0] else "wrong"
        return "wrong"

    def _oauth(self, request: Request) -> Reply:
        """The three steps of OAuth 1.0a with PLAINTEXT signatures; whoever is sent to consent does."""
        if request.path == "/oauth/authorize" and request.method == "GET":
            token = request.parameter("oauth_token") or ""
            found = self._request_tokens.get(token)
            if found is None:
                raise refused(404)
            found["verifier"], found["until"] = "verifier-1", (self.clock.now() + timedelta(minutes=15)).isoformat()
            return Reply(
                302, headers={"Location": f"{found['callback']}?oauth_token={token}&oauth_verifier=verifier-1"}
            )
        said = _oauth_fields(request.headers.get("authorization", ""))
        if said.get("oauth_consumer_key") != self.consumer[0] or said.get("oauth_signature_method") != "PLAINTEXT":
            raise refused(401, "Invalid consumer.", "authorization")
        if request.path == "/oauth/request_token" and request.method == "GET":
            if said.get("oauth_signature") != f"{self.consumer[1]}&":
                raise refused(401, "Invalid signature.", "authorization")
            token = f"request-{len(self._request_tokens) + 1}"
            self._request_tokens[token] = {
                "secret": f"secret-of-{token}",
                "callback": said.get("oauth_callback", "oob"),
            }
            body = f"oauth_token={token}&oauth_token_secret=secret-of-{token}&oauth_callback_confirmed=true"
            return Reply(200, body.encode(), content_type="application/x-www-form-urlencoded")
        if request.path == "/oauth/access_token" and request.method == "POST":
            found = self._request_tokens.pop(said.get("oauth_token", ""), None)
            is_right = found is not None and said.get("oauth_signature") == f"{self.consumer[1]}&{found['secret']}"
            if found is None or not is_right or said.get("oauth_verifier") != found.get("verifier"):
                raise refused(401, "Invalid verifier.", "authorization")
            if self.clock.now() > datetime.fromisoformat(found["until"]):
                raise refused(401, "The verifier has expired.", "authorization")
            token = f"access-{len(self._access_tokens) + 1}"
            self._access_tokens[token] = f"secret-of-{token}"
            body = f"oauth_token={token}&oauth_token_secret=secret-of-{token}"
            return Reply(200, body.encode(), content_type="application/x-www-form-urlencoded")
        raise refused(404)

    def _routed(self, request: Request, *, is_seller: bool) -> Reply:
        method, path = request.method, request.path
        if found := _LISTING.match(path):
            listing = self.listings.get(int(found[1]))
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
            made = self._made(self._said(request))
            url = f"https://api.discogs.com/marketplace/listings/{made['id']}"
            return answered({"listing_id": made["id"], "resource_url": url}, 201)
        if path == "/oauth/identity" and method == "GET":
            self._seller_only(is_seller)
            resource = f"https://api.discogs.com/users/{self.username}"
            return answered(
                {"id": 1, "username": self.username, "resource_url": resource, "consumer_name": "Deadwax sandbox"}
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
            Decimal(1) if self.currency == "JPY" else Decimal("0.01")
        ):
            raise refused(422, "Invalid price.", "body")
        if said["condition"] not in CONDITIONS or said.get("sleeve_condition", "Generic") not in SLEEVE_CONDITIONS:
            raise refused(422, "Invalid condition.", "body")
        if said["status"] not in {"For Sale", "Draft"}:
            raise refused(422, "Invalid status.", "body")

    def _edit(self, listing: dict[str, Any], request: Request) -> Reply:
        said = self._said(request)
        if listing["status"] not in EDITABLE:
            raise refused(403, "This listing cannot be edited.")
        if said["release_id"] != listing["release_id"]:
            raise refused(422, "Invalid release.", "body")
        # Not a patch: what is not said is as if it had never been.
        listing.update(_content(said))
        return Reply(204)

    def _delete(self, listing: dict[str, Any]) -> Reply:
        listing["status"] = "Deleted"
        return Reply(204)

    def _made(self, said: Mapping[str, Any]) -> dict[str, Any]:
        id = self._next_listing
        self._next_listing += 1
        listing = {"id": id, "release_id": said["release_id"], "posted": _stamp(self.clock.now()), **_content(said)}
        self.listings[id] = listing
        return listing

    def _shown(self, listing: Mapping[str, Any], request: Request, *, is_seller: bool) -> dict[str, Any]:
        currency = request.parameter("curr_abbr") or (self.buyer_currency if is_seller else "USD")
        if currency not in CURRENCIES:
            raise refused(422, "Invalid currency.", "parameter")
        own = self.currency
        if request.fault == "wrong_currency":
            own = next(code for code in ("GBP", "JPY") if code != self.currency)
        shown = {
            "id": listing["id"],
            "status": listing["status"],
            "price": {"value": float(_converted(listing["price"], self.currency, currency)), "currency": currency},
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
            "seller": {"username": self.username},
            "release": {"id": listing["release_id"], "description": f"Release {listing['release_id']}"},
            "resource_url": f"https://api.discogs.com/marketplace/listings/{listing['id']}",
        }
        own_fields = ("weight", "format_quantity", "external_id", "location")
        return shown | ({name: listing[name] for name in own_fields} if is_seller else {})

    def _inventory(self, request: Request, username: str, *, is_seller: bool) -> Reply:
        if username != self.username:
            raise refused(404)
        status = request.parameter("status")
        if status is not None and status not in {"All", *STATUSES}:
            raise refused(422, "Invalid status.", "parameter")
        found = [listing for listing in self.listings.values() if listing["status"] != "Deleted"]
        if not is_seller:
            found = [listing for listing in found if listing["status"] == "For Sale"]
        elif status not in {None, "All"}:
            found = [listing for listing in found if listing["status"] == status]
        page, pagination, headers = self._paged(request, found)
        # In the seller's currency, here.
        shown = [self._shown(listing, request, is_seller=is_seller) for listing in page]
        for listing in shown:
            listing["price"] = {"value": listing["original_price"]["value"], "currency": self.currency}
        return answered({"pagination": pagination, "listings": shown}, headers=headers)

    def _order_page(self, request: Request) -> Reply:
        status, sort = request.parameter("status"), request.parameter("sort") or "last_activity"
        if sort not in {"id", "buyer", "created", "status", "last_activity"}:
            raise refused(422, "Invalid sort.", "parameter")
        if (request.parameter("sort_order") or "asc") not in {"asc", "desc"}:
            raise refused(422, "Invalid sort order.", "parameter")
        if status is not None and status not in {"All", *ORDER_STATUSES}:
            raise refused(422, "Invalid status.", "parameter")
        found = [order for order in self.orders if status in {None, "All", order["status"]}]
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
        return {"listings": [_plain(listing) for listing in self.listings.values()], "orders": self.orders}

    def deeds(self) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        return {"listings": self._add, "sales": self._sell, "statuses": self._set_status, "settle": self._settle}

    def _add(self, body: dict[str, Any]) -> Any:
        """Put a listing up, as the seller would on the site."""
        defaults = {"release_id": 5610049, "condition": CONDITIONS[1], "price": "21.00", "status": "For Sale"}
        said = {**defaults, **body}
        return _plain(self._made({**said, "price": Decimal(str(said["price"]))}))

    def _sell(self, body: dict[str, Any]) -> Any:
        """Have a buyer order a listing that is for sale."""
        listing = self.listings[int(body["listing_id"])]
        if listing["status"] != "For Sale":
            raise ValueError("It is not for sale.")
        listing["status"] = "Sold"
        now, price = _stamp(self.clock.now()), float(listing["price"])
        order = {
            "id": f"1-{len(self.orders) + 1}",
            "status": body.get("status", "New Order"),
            "next_status": ["Invoice Sent", "Payment Received", "Cancelled (Item Unavailable)"],
            "created": now,
            "last_activity": now,
            "items": [
                {
                    "id": listing["id"],
                    "release": {"id": listing["release_id"], "description": f"Release {listing['release_id']}"},
                    "price": {"value": price, "currency": self.currency},
                    "media_condition": listing["condition"],
                    "sleeve_condition": listing["sleeve_condition"],
                }
            ],
            "shipping": {"currency": self.currency, "method": "Standard", "value": 5.0},
            "fee": {"value": round(price * 0.09, 2), "currency": self.currency},
            "total": {"value": round(price + 5.0, 2), "currency": self.currency},
            "buyer": {"id": 2, "username": "buyer"},
            "seller": {"id": 1, "username": self.username},
            "archived": False,
        }
        self.orders.append(order)
        return order

    def _set_status(self, body: dict[str, Any]) -> Any:
        """Have a listing expire, be suspended, and so on."""
        if body["status"] not in STATUSES:
            raise ValueError(f"status: one of {', '.join(STATUSES)}")
        listing = self.listings[int(body["listing_id"])]
        listing["status"] = body["status"]
        return _plain(listing)

    def _settle(self, body: dict[str, Any]) -> Any:
        """Move an order on."""
        if body["status"] not in ORDER_STATUSES:
            raise ValueError(f"status: one of {', '.join(ORDER_STATUSES)}")
        [order] = [order for order in self.orders if order["id"] == body["order_id"]]
        order |= {"status": body["status"], "last_activity": _stamp(self.clock.now())}
        return order


def _content(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that a POST leaves of a listing's content."""
    return {
        "condition": said["condition"],
        "sleeve_condition": said.get("sleeve_condition", "Not Graded"),
        "price": Decimal(said["price"]),
        "status": said["status"],
        "allow_offers": bool(said.get("allow_offers", False)),
        "comments": said.get("comments", ""),
        "external_id": said.get("external_id", ""),
        "location": said.get("location", ""),
        "weight": said.get("weight"),
        "format_quantity": said.get("format_quantity"),
    }


def _converted(amount: Decimal, own: str, shown: str) -> Decimal:
    if own == shown:
        return amount
    return (amount * _RATE_TO_USD.get(own, Decimal(1)) / _RATE_TO_USD.get(shown, Decimal(1))).quantize(Decimal("0.01"))


def _plain(listing: Mapping[str, Any]) -> dict[str, Any]:
    return {**listing, "price": str(listing["price"])}


def _stamp(moment: datetime) -> str:
    """Return a time as Discogs writes it: 2026-01-02T10:00:00-08:00."""
    return (moment.replace(tzinfo=None) - timedelta(hours=8)).isoformat(timespec="seconds") + "-08:00"


def _number(request: Request, name: str, default: int) -> int:
    text = request.parameter(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise refused(422, f"Invalid {name}.", "parameter")
    return int(text)


def _oauth_fields(header: str) -> dict[str, str]:
    """Return the parameters of an Authorization header of OAuth 1.0a."""
    parts = [part.strip().partition("=") for part in header.removeprefix("OAuth ").split(",")]
    return {name: unquote(value.strip('"')) for name, _, value in parts}

"""A double of eBay's Sell APIs (Inventory, Fulfillment), Browse by legacy id, Analytics and Notification, for one
seller.

Here is who is let in, how often a day, and what happens beside the APIs.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sandbox import ebay_browse, ebay_fulfillment
from sandbox.clock import Clock, utc
from sandbox.ebay_inventory import Inventory
from sandbox.ebay_notifications import ORDER, Notifications
from sandbox.ebay_shop import EbayShop
from sandbox.ebay_tokens import SCOPE, Tokens
from sandbox.ebay_wire import error, refused
from sandbox.vendor import Vendor
from sandbox.wire import Reply, Request, answered

CALLS_A_DAY = {
    "inventory": 2_000_000,
    "fulfillment": 100_000,
    "browse": 5_000,
    "analytics": 5_000,
    "notification": 10_000,
}


class Ebay(Vendor):
    name = "ebay"
    kinds_of_fault = frozenset({"wrong_currency", "concurrent", "system", "faster"})

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = Tokens(clock)
        self.shop = EbayShop(clock)
        self._inventory = Inventory(self.shop, clock, self.violations)
        self.notifications = Notifications(clock, self.violations)
        self.calls_a_day = dict(CALLS_A_DAY)
        self._today: Counter[tuple[date, str]] = Counter()

    def answer(self, request: Request) -> Reply:
        path, method = request.path, request.method
        if path == "/oauth2/authorize" and method == "GET":
            return self.tokens.consent(request)
        if path == "/identity/v1/oauth2/token" and method == "POST":
            return self.tokens.mint(request)
        api = next((name for name in CALLS_A_DAY if f"/{name}/" in path), None)
        if api is None:
            raise refused(404, 2002, "Resource not found", "path")
        self._admit(request, api)
        match api:
            case "inventory":
                return self._inventory.answer(request)
            case "fulfillment" if path == ebay_fulfillment.PATH and method == "GET":
                return ebay_fulfillment.order_page(self.shop, request, self.clock.now())
            case "browse" if path == ebay_browse.PATH and method == "GET":
                return ebay_browse.item(self.shop, request)
            case "notification":
                scopes, is_user = self.tokens.scopes_of(request.headers["authorization"]) or (frozenset(), False)
                return self.notifications.answer(request, scopes, is_user=is_user)
            case "analytics" if path == "/developer/analytics/v1_beta/rate_limit/" and method == "GET":
                return self._rate_limits()
        raise refused(404, 2002, "Resource not found", "path")

    def failing(self, status: int) -> Any:
        ids = {429: (2001, "Too many requests."), 502: (3005, "Bad gateway."), 500: (2003, "Internal error.")}
        id, message = ids.get(status, (3004, "Service unavailable."))
        return {"errors": [error(id, message, category="APPLICATION")]}

    def _admit(self, request: Request, api: str) -> None:
        """Let in who has the scope and has calls left today."""
        opened = self.tokens.scopes_of(request.headers.get("authorization", ""))
        if opened is None:
            raise refused(401, 1001, "Invalid access token", "authorization")
        scopes, is_user = opened
        wanted = {f"{SCOPE}/sell.{api}"}
        if request.method == "GET":
            wanted.add(f"{SCOPE}/sell.{api}.readonly")
        if api in {"inventory", "fulfillment"} and not (is_user and wanted & scopes):
            raise refused(403, 1100, "Access denied", "scope")
        if api == "browse" and SCOPE not in scopes:
            raise refused(403, 1100, "Access denied", "scope")
        day = (self.clock.now().date(), api)
        if self._today[day] >= self.calls_a_day[api]:
            raise refused(429, 2001, "Too many requests.", "rate_limit")
        self._today[day] += 1

    def _rate_limits(self) -> Reply:
        day = self.clock.now().date()
        reset = utc(datetime.combine(day, datetime.min.time(), self.clock.now().tzinfo) + timedelta(days=1))
        limits = []
        for name, limit in self.calls_a_day.items():
            used = self._today[day, name]
            rates = [{"count": used, "limit": limit, "remaining": limit - used, "reset": reset, "timeWindow": 86400}]
            resources = [{"name": f"sell.{name}", "rates": rates}]
            limits.append({"apiContext": "sell", "apiName": name, "apiVersion": "v1", "resources": resources})
        return answered({"rateLimits": limits})

    def state(self) -> dict[str, Any]:
        return {
            "offers": [*self.shop.offers.values()],
            "orders": self.shop.orders,
            "old_listings": self.shop.old_listings,
            **self.notifications.state(),
        }

    def deeds(self) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        return {
            "listings": self.shop.add,
            "old-listings": self.shop.add_old,
            "sales": self._sell,
            "notifications": self._notify,
            "notification-settings": self._set_notifications,
            "prices": self.shop.reprice,
            "ends": self.shop.end,
            "holds": self.shop.hold,
            "stock": self.shop.stock,
            "cancels": self.shop.cancel,
            "tokens": self._expire,
            "consents": self._consent,
            "application": self._set_application,
            "limits": self._set_limits,
        }

    def _sell(self, body: dict[str, Any]) -> Any:
        """Have a buyer buy, and tell whoever wants to know."""
        order = self.shop.sell(body)
        for line in order["lineItems"]:
            told = {"orderId": order["orderId"], "lineItemId": line["lineItemId"], "buyer": order["buyer"]}
            self.notifications.publish(ORDER, told)
        return order

    def _notify(self, body: dict[str, Any]) -> Any:
        """Send a notification of any topic to all destinations, whoever subscribed."""
        for destination in [*self.notifications.destinations]:
            self.notifications.send(destination, body["topic"], body.get("data", {}))
        return {"destinations": len(self.notifications.destinations)}

    def _set_notifications(self, body: dict[str, Any]) -> Any:
        """Say whether endpoints without https are taken, and how long is waited before one is told again."""
        self.notifications.allows_http = bool(body.get("allow_http", self.notifications.allows_http))
        self.notifications.retry_seconds = float(body.get("retry_seconds", self.notifications.retry_seconds))
        return self.notifications.state()

    def close(self) -> None:
        self.notifications.close()

    def _expire(self, body: dict[str, Any]) -> Any:
        """End all access tokens; with `revoke` the seller's consent too, as a new password of theirs does."""
        self.tokens.expire(revoke=bool(body.get("revoke")))
        return {}

    def _consent(self, body: dict[str, Any]) -> Any:
        """Have the seller consent without a browser; return what the application would have got for the code."""
        scopes = body.get("scopes", [f"{SCOPE}/sell.inventory", f"{SCOPE}/sell.fulfillment"])
        return {"refresh_token": self.tokens.granted(frozenset(scopes))}

    def _set_application(self, body: dict[str, Any]) -> Any:
        self.tokens.callback_url = body["callback_url"]
        return {"client_id": self.tokens.client_id, "ru_name": self.tokens.ru_name}

    def _set_limits(self, body: dict[str, Any]) -> Any:
        """Have other numbers of calls a day than eBay's, so that a test gets to the end of them."""
        self.calls_a_day |= {name: int(limit) for name, limit in body.items() if name in CALLS_A_DAY}
        return self.calls_a_day

"""A double of eBay's Sell APIs (Inventory, Fulfillment), Browse by legacy id and Analytics, for one seller.

A price goes through bulk_update_price_quantity, one SKU a call; a PUT replaces the whole offer; a withdrawn offer that
is published again is a new listing; a listing has 250 revisions a day.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sandbox.clock import Clock, utc
from sandbox.ebay_shop import CURRENCY, EbayShop
from sandbox.ebay_tokens import SCOPE, Tokens
from sandbox.vendor import Vendor
from sandbox.wire import Refusal, Reply, Request, answered

REVISIONS_A_DAY = 250
CALLS_A_DAY = {"inventory": 2_000_000, "fulfillment": 100_000, "browse": 5_000, "analytics": 5_000}
MAX_OFFERS, MAX_MIGRATED, MAX_ORDERS = 25, 5, 200
_INVENTORY, _FULFILLMENT = "/sell/inventory/v1", "/sell/fulfillment/v1"
_OFFER = re.compile(rf"{_INVENTORY}/offer/([0-9]+)(/withdraw|/publish)?\Z")
_ITEM = "/buy/browse/v1/item/get_item_by_legacy_id"
_MODIFIED = re.compile(r"(lastmodifieddate|creationdate):\[([^.\]]+\.\d{3}Z)?\.\.([^.\]]+\.\d{3}Z)?\]\Z")


def error(id: int, message: str, domain: str = "ACCESS", category: str = "REQUEST") -> dict[str, Any]:
    return {"errorId": id, "domain": domain, "category": category, "message": message, "longMessage": message}


def refused(status: int, id: int, message: str, violation: str | None = None, domain: str = "ACCESS") -> Refusal:
    return Refusal(answered({"errors": [error(id, message, domain)]}, status), violation)


class Ebay(Vendor):
    name = "ebay"
    kinds_of_fault = frozenset({"wrong_currency", "concurrent"})

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tokens = Tokens(clock)
        self.shop = EbayShop(clock)
        self.calls_a_day = dict(CALLS_A_DAY)
        self._today: Counter[tuple[date, str]] = Counter()
        self._revisions: Counter[tuple[date, str]] = Counter()

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
                return self._inventory(request)
            case "fulfillment" if path == f"{_FULFILLMENT}/order" and method == "GET":
                return self._order_page(request)
            case "browse" if path == _ITEM and method == "GET":
                return self._item(request)
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
        day = (self.clock.now().date(), api)
        if self._today[day] >= self.calls_a_day[api]:
            raise refused(429, 2001, "Too many requests.", "rate_limit")
        self._today[day] += 1

    def _inventory(self, request: Request) -> Reply:
        method, path = request.method, request.path
        if path == f"{_INVENTORY}/bulk_update_price_quantity" and method == "POST":
            return self._bulk_update(request)
        if path == f"{_INVENTORY}/bulk_migrate_listing" and method == "POST":
            return self._migrate(request)
        if path == f"{_INVENTORY}/offer" and method == "GET":
            return self._offers_of_sku(request)
        found = _OFFER.match(path)
        if found is None:
            raise refused(404, 2002, "Resource not found", "path")
        offer = self.shop.offers.get(found[1])
        if offer is None:
            raise refused(404, 25713, "This Offer is not available.", domain="API_INVENTORY")
        match method, found[2]:
            case "GET", None:
                return answered(self._shown(offer, request))
            case "PUT", None:
                return self._replace(offer, request)
            case "POST", "/withdraw":
                return self._withdraw(offer)
            case "POST", "/publish":
                return self._publish(offer)
        raise refused(404, 2002, "Resource not found", "method")

    def _shown(self, offer: Mapping[str, Any], request: Request) -> dict[str, Any]:
        shown = {
            "offerId": offer["offerId"],
            "sku": offer["sku"],
            "marketplaceId": offer["marketplaceId"],
            "format": "FIXED_PRICE",
            "availableQuantity": offer["availableQuantity"],
            "pricingSummary": {"price": dict(offer["price"])},
            "status": offer["status"],
        }
        if request.fault == "wrong_currency":
            shown["pricingSummary"]["price"]["currency"] = "JPY"
        if offer["status"] == "PUBLISHED":
            shown["listing"] = {
                "listingId": offer["listingId"],
                "listingStatus": self._listing_status(offer),
                "soldQuantity": offer["soldQuantity"],
                "listingOnHold": False,
            }
        return shown

    def _listing_status(self, offer: Mapping[str, Any]) -> str:
        if offer["listingStatus"] == "ACTIVE" and offer["availableQuantity"] == 0:
            return "OUT_OF_STOCK"
        return str(offer["listingStatus"])

    def _offers_of_sku(self, request: Request) -> Reply:
        sku = request.parameter("sku")
        if not sku:
            raise refused(400, 25709, "Invalid value for sku.", "parameter", "API_INVENTORY")
        found = [self._shown(offer, request) for offer in self.shop.offers.values() if offer["sku"] == sku]
        if not found:
            raise refused(404, 25713, "This Offer is not available.", domain="API_INVENTORY")
        limit, page = _number(request, "limit", 25), _number(request, "offset", 0)
        # Of pages, here: elsewhere it counts what is in them.
        shown = found[page * limit : (page + 1) * limit]
        return answered(
            {"href": request.path, "limit": limit, "total": len(found), "size": len(shown), "offers": shown}
        )

    def _bulk_update(self, request: Request) -> Reply:
        requests = _said(request).get("requests")
        if not isinstance(requests, list) or not requests or not all(isinstance(one, dict) for one in requests):
            raise refused(400, 25709, "Invalid value for requests.", "body", "API_INVENTORY")
        offers = [offer for one in requests for offer in one.get("offers", ())]
        ids = [offer.get("offerId") for offer in offers if isinstance(offer, dict)]
        skus = {self.shop.offers[id]["sku"] for id in ids if id in self.shop.offers}
        if (
            not offers
            or len(ids) != len(offers)
            or len(offers) > MAX_OFFERS
            or len({*ids}) != len(ids)
            or len(skus) > 1
        ):
            raise refused(400, 25709, "One SKU, 1 to 25 offers of it, each once.", "body", "API_INVENTORY")
        if request.fault == "concurrent":
            raise refused(500, 25025, "Concurrent access.", domain="API_INVENTORY")
        responses = [self._updated(offer) for offer in offers]
        is_whole = all(response["statusCode"] == 200 for response in responses)
        return answered({"responses": responses}, 200 if is_whole else 207)

    def _updated(self, said: Mapping[str, Any]) -> dict[str, Any]:
        id = said["offerId"]
        offer = self.shop.offers.get(id)

        def result(status: int, errors: list[dict[str, Any]]) -> dict[str, Any]:
            sku = {} if offer is None else {"sku": offer["sku"]}
            return {"statusCode": status, "offerId": id, **sku, "errors": errors, "warnings": []}

        if offer is None:
            return result(404, [error(25713, "This Offer is not available.", "API_INVENTORY")])
        if offer["status"] != "PUBLISHED" or offer["listingStatus"] != "ACTIVE":
            return result(400, [error(25759, "The offer is not published.", "API_INVENTORY")])
        if "price" not in said and "availableQuantity" not in said:
            self.violations["body"] += 1
            return result(400, [error(25002, "price or availableQuantity is required.", "API_INVENTORY")])
        if "price" in said and not self.shop.is_price(said["price"], offer):
            self.violations["price"] += 1
            return result(400, [error(25003, "Invalid price.", "API_INVENTORY")])
        if not self._revise(offer):
            return result(400, [error(25002, "Too many revisions of this listing today.", "API_INVENTORY")])
        if "price" in said:
            offer["price"] = dict(said["price"])
        if "availableQuantity" in said:
            offer["availableQuantity"] = int(said["availableQuantity"])
        offer["updates"].append(utc(self.clock.now()))
        return result(200, [])

    def _revise(self, offer: Mapping[str, Any]) -> bool:
        day = (self.clock.now().date(), str(offer["listingId"]))
        if self._revisions[day] >= REVISIONS_A_DAY:
            self.violations["revisions"] += 1
            return False
        self._revisions[day] += 1
        return True

    def _replace(self, offer: dict[str, Any], request: Request) -> Reply:
        if "content-language" not in request.headers:
            raise refused(400, 25709, "Invalid value for header Content-Language.", "content_language", "API_INVENTORY")
        said = _said(request)
        missing = [name for name in ("sku", "marketplaceId", "format", "pricingSummary") if name not in said]
        if missing or said["sku"] != offer["sku"] or said["marketplaceId"] != offer["marketplaceId"]:
            raise refused(400, 25709, f"Invalid value for {', '.join(missing) or 'sku'}.", "body", "API_INVENTORY")
        price: Any = said["pricingSummary"].get("price") if isinstance(said["pricingSummary"], dict) else None
        if not self.shop.is_price(price, offer):
            raise refused(400, 25003, "Invalid price.", "price", "API_INVENTORY")
        if offer["status"] == "PUBLISHED" and not self._revise(offer):
            raise refused(400, 25002, "Too many revisions of this listing today.", domain="API_INVENTORY")
        offer |= {"price": dict(price), "availableQuantity": int(said.get("availableQuantity", 0))}
        return Reply(204)

    def _withdraw(self, offer: dict[str, Any]) -> Reply:
        if offer["status"] != "PUBLISHED":
            raise refused(400, 25713, "This Offer is not published.", domain="API_INVENTORY")
        listing = offer["listingId"]
        offer |= {"status": "UNPUBLISHED", "listingStatus": "ENDED", "listingId": None}
        return answered({"listingId": listing})

    def _publish(self, offer: dict[str, Any]) -> Reply:
        if offer["status"] == "PUBLISHED":
            return answered({"listingId": offer["listingId"]})
        offer |= {"status": "PUBLISHED", "listingStatus": "ACTIVE", "listingId": self.shop.new_listing_id()}
        return answered({"listingId": offer["listingId"]})

    def _migrate(self, request: Request) -> Reply:
        requests = _said(request).get("requests")
        if not isinstance(requests, list) or not 1 <= len(requests) <= MAX_MIGRATED:
            raise refused(400, 25709, "1 to 5 listings.", "body", "API_INVENTORY")
        responses = []
        for one in requests:
            listing = str(one.get("listingId"))
            old = self.shop.old_listings.pop(listing, None)
            if old is None:
                errors = [error(25719, "The listing cannot be migrated.", "API_INVENTORY", "BUSINESS")]
                responses.append({"statusCode": 400, "listingId": listing, "errors": errors, "warnings": []})
                continue
            offer = self.shop.add({**old, "listing_id": listing})
            items = [{"sku": offer["sku"], "offerId": offer["offerId"]}]
            made = {"statusCode": 200, "listingId": listing, "marketplaceId": offer["marketplaceId"]}
            responses.append({**made, "inventoryItems": items, "errors": [], "warnings": []})
        return answered({"responses": responses}, 200 if all(r["statusCode"] == 200 for r in responses) else 207)

    def _item(self, request: Request) -> Reply:
        if request.headers.get("x-ebay-c-marketplace-id", "EBAY_US") not in CURRENCY:
            raise refused(400, 11000, "Invalid marketplace.", "marketplace", "API_BROWSE")
        id = request.parameter("legacy_item_id") or ""
        listings = {offer["listingId"]: offer for offer in self.shop.offers.values() if offer["status"] == "PUBLISHED"}
        found = listings.get(id)
        if found is None or found["listingStatus"] != "ACTIVE":
            raise refused(400, 11003 if found is None else 11004, "The item was not found.", domain="API_BROWSE")
        left = found["availableQuantity"]
        availability = {
            "estimatedAvailabilityStatus": "IN_STOCK" if left else "OUT_OF_STOCK",
            "estimatedAvailableQuantity": left,
            "estimatedSoldQuantity": found["soldQuantity"],
        }
        price = dict(found["price"])
        if request.fault == "wrong_currency":
            price = {"value": "1.00", "currency": "JPY"} | {
                "convertedFromValue": price["value"],
                "convertedFromCurrency": price["currency"],
            }
        return answered(
            {
                "itemId": f"v1|{id}|0",
                "legacyItemId": id,
                "title": f"Listing of {found['sku']}",
                "price": price,
                "buyingOptions": ["FIXED_PRICE"],
                "estimatedAvailabilities": [availability],
            }
        )

    def _order_page(self, request: Request) -> Reply:
        limit, offset = _number(request, "limit", 50), _number(request, "offset", 0)
        if not 1 <= limit <= MAX_ORDERS:
            raise refused(400, 30700, "Invalid limit.", "parameter", "API_FULFILLMENT")
        now = self.clock.now()
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
        found = [order for order in self.shop.orders if start <= datetime.fromisoformat(order[field]) <= end]
        page = found[offset : offset + limit]
        shown = {"href": request.path, "total": len(found), "limit": limit, "offset": offset, "orders": page}
        if offset + limit < len(found):
            shown["next"] = f"{request.path}?limit={limit}&offset={offset + limit}"
        return answered(shown)

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
        }

    def deeds(self) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        return {
            "listings": self.shop.add,
            "old-listings": self.shop.add_old,
            "sales": self.shop.sell,
            "ends": self.shop.end,
            "tokens": self._expire,
            "consents": self._consent,
            "application": self._set_application,
            "limits": self._set_limits,
        }

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


def _said(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise refused(415, 25709, "Invalid value for header Content-Type.", "content_type", "API_INVENTORY")
    try:
        said = json.loads(request.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise refused(400, 25709, "The body is no JSON object.", "body", "API_INVENTORY")
    return said


def _number(request: Request, name: str, default: int) -> int:
    text = request.parameter(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise refused(400, 25709, f"Invalid value for {name}.", "parameter", "API_INVENTORY")
    return int(text)

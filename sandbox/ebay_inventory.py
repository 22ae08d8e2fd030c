"""eBay's Inventory API: offers, their prices, and old listings that become offers."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.clock import Clock, utc
from sandbox.ebay_shop import EbayShop
from sandbox.ebay_wire import error, number, refused, said
from sandbox.wire import Reply, Request, answered

BASE = "/sell/inventory/v1"
REVISIONS_A_DAY = 250
MAX_OFFERS, MAX_MIGRATED = 25, 5
_OFFER = re.compile(rf"{BASE}/offer/([0-9]+)(/withdraw|/publish)?\Z")


class Inventory:
    """A price goes through bulk_update_price_quantity, one SKU a call; a PUT replaces the whole offer; a withdrawn
    offer that is published again is a new listing; a listing has 250 revisions a day.
    """

    def __init__(self, shop: EbayShop, clock: Clock, violations: Counter[str]) -> None:
        self._shop = shop
        self._clock = clock
        self._violations = violations
        self._revisions: Counter[tuple[date, str]] = Counter()

    def answer(self, request: Request) -> Reply:
        method, path = request.method, request.path
        if path == f"{BASE}/bulk_update_price_quantity" and method == "POST":
            return self._bulk_update(request)
        if path == f"{BASE}/bulk_migrate_listing" and method == "POST":
            return self._migrate(request)
        if path == f"{BASE}/offer" and method == "GET":
            return self._offers_of_sku(request)
        found = _OFFER.match(path)
        if found is None:
            raise refused(404, 2002, "Resource not found", "path")
        offer = self._shop.offers.get(found[1])
        if offer is None:
            raise refused(404, 25713, "This Offer is not available.", domain="API_INVENTORY")
        match method, found[2]:
            case "GET", None:
                return answered(self._shown(offer, request))
            case "PUT", None:
                return self._replace(offer, request)
            case "POST", "/withdraw":
                return self._withdraw(offer, request.fault)
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
                "listingOnHold": offer["isOnHold"],
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
        found = [self._shown(offer, request) for offer in self._shop.offers.values() if offer["sku"] == sku]
        if not found:
            raise refused(404, 25713, "This Offer is not available.", domain="API_INVENTORY")
        limit, page = number(request, "limit", 25), number(request, "offset", 0)
        # Of pages, here: elsewhere it counts what is in them.
        shown = found[page * limit : (page + 1) * limit]
        return answered(
            {"href": request.path, "limit": limit, "total": len(found), "size": len(shown), "offers": shown}
        )

    def _bulk_update(self, request: Request) -> Reply:
        requests = said(request).get("requests")
        if not isinstance(requests, list) or not requests or not all(isinstance(one, dict) for one in requests):
            raise refused(400, 25709, "Invalid value for requests.", "body", "API_INVENTORY")
        offers = [offer for one in requests for offer in one.get("offers", ())]
        ids = [offer.get("offerId") for offer in offers if isinstance(offer, dict)]
        skus = {self._shop.offers[id]["sku"] for id in ids if id in self._shop.offers}
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
        responses = [self._updated(offer, request.fault) for offer in offers]
        is_whole = all(response["statusCode"] == 200 for response in responses)
        return answered({"responses": responses}, 200 if is_whole else 207)

    def _updated(self, asked: Mapping[str, Any], fault: str | None) -> dict[str, Any]:
        id = asked["offerId"]
        offer = self._shop.offers.get(id)

        def result(status: int, errors: list[dict[str, Any]]) -> dict[str, Any]:
            sku = {} if offer is None else {"sku": offer["sku"]}
            return {"statusCode": status, "offerId": id, **sku, "errors": errors, "warnings": []}

        if fault == "system":
            return result(500, [error(25001, "A system error has occurred.", "API_INVENTORY", "APPLICATION")])
        if offer is None:
            return result(404, [error(25713, "This Offer is not available.", "API_INVENTORY")])
        if offer["status"] != "PUBLISHED" or offer["listingStatus"] != "ACTIVE":
            return result(400, [error(25759, "The offer is not published.", "API_INVENTORY")])
        if "price" not in asked and "availableQuantity" not in asked:
            self._violations["body"] += 1
            return result(400, [error(25002, "price or availableQuantity is required.", "API_INVENTORY")])
        if "price" in asked and not self._shop.is_price(asked["price"], offer):
            self._violations["price"] += 1
            return result(400, [error(25003, "Invalid price.", "API_INVENTORY")])
        if not self._revise(offer):
            return result(400, [error(25002, "Too many revisions of this listing today.", "API_INVENTORY")])
        if "price" in asked:
            offer["price"] = dict(asked["price"])
        if "availableQuantity" in asked:
            offer["availableQuantity"] = int(asked["availableQuantity"])
        offer["updates"].append(utc(self._clock.now()))
        return result(200, [])

    def _revise(self, offer: Mapping[str, Any]) -> bool:
        day = (self._clock.now().date(), str(offer["listingId"]))
        if self._revisions[day] >= REVISIONS_A_DAY:
            self._violations["revisions"] += 1
            return False
        self._revisions[day] += 1
        return True

    def _replace(self, offer: dict[str, Any], request: Request) -> Reply:
        if "content-language" not in request.headers:
            raise refused(400, 25709, "Invalid value for header Content-Language.", "content_language", "API_INVENTORY")
        whole = said(request)
        missing = [name for name in ("sku", "marketplaceId", "format", "pricingSummary") if name not in whole]
        if missing or whole["sku"] != offer["sku"] or whole["marketplaceId"] != offer["marketplaceId"]:
            raise refused(400, 25709, f"Invalid value for {', '.join(missing) or 'sku'}.", "body", "API_INVENTORY")
        price: Any = whole["pricingSummary"].get("price") if isinstance(whole["pricingSummary"], dict) else None
        if not self._shop.is_price(price, offer):
            raise refused(400, 25003, "Invalid price.", "price", "API_INVENTORY")
        if offer["status"] == "PUBLISHED" and not self._revise(offer):
            raise refused(400, 25002, "Too many revisions of this listing today.", domain="API_INVENTORY")
        offer |= {"price": dict(price), "availableQuantity": int(whole.get("availableQuantity", 0))}
        return Reply(204)

    def _withdraw(self, offer: dict[str, Any], fault: str | None) -> Reply:
        if fault == "faster":
            # The seller was, on the site.
            offer |= {"status": "UNPUBLISHED", "listingStatus": "ENDED", "listingId": None}
        if offer["status"] != "PUBLISHED":
            raise refused(400, 25713, "This Offer is not published.", domain="API_INVENTORY")
        listing = offer["listingId"]
        offer |= {"status": "UNPUBLISHED", "listingStatus": "ENDED", "listingId": None}
        return answered({"listingId": listing})

    def _publish(self, offer: dict[str, Any]) -> Reply:
        if offer["status"] == "PUBLISHED":
            return answered({"listingId": offer["listingId"]})
        offer |= {"status": "PUBLISHED", "listingStatus": "ACTIVE", "listingId": self._shop.new_listing_id()}
        return answered({"listingId": offer["listingId"]})

    def _migrate(self, request: Request) -> Reply:
        requests = said(request).get("requests")
        if not isinstance(requests, list) or not 1 <= len(requests) <= MAX_MIGRATED:
            raise refused(400, 25709, "1 to 5 listings.", "body", "API_INVENTORY")
        responses = []
        for one in requests:
            listing = str(one.get("listingId"))
            old = self._shop.old_listings.pop(listing, None)
            if old is None:
                errors = [error(25719, "The listing cannot be migrated.", "API_INVENTORY", "BUSINESS")]
                responses.append({"statusCode": 400, "listingId": listing, "errors": errors, "warnings": []})
                continue
            offer = self._shop.offered(old)
            items = [{"sku": offer["sku"], "offerId": offer["offerId"]}]
            made = {"statusCode": 200, "listingId": listing, "marketplaceId": offer["marketplaceId"]}
            responses.append({**made, "inventoryItems": items, "errors": [], "warnings": []})
        return answered({"responses": responses}, 200 if all(r["statusCode"] == 200 for r in responses) else 207)

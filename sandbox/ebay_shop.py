"""What one eBay seller has: offers, old listings, orders, and what happens to them beside the APIs."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.clock import Clock, utc

CURRENCY = {"EBAY_US": "USD", "EBAY_GB": "GBP", "EBAY_DE": "EUR", "EBAY_FR": "EUR", "EBAY_CA": "CAD", "EBAY_AU": "AUD"}
_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?\Z")


class EbayShop:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offers: dict[str, dict[str, Any]] = {}
        self.orders: list[dict[str, Any]] = []
        self.old_listings: dict[str, dict[str, Any]] = {}
        self._next_offer, self._next_listing, self._next_order = 36_445_435_465, 110_123_456_789, 1

    def listed(self, listing: str) -> dict[str, Any]:
        """Raises KeyError."""
        for offer in self.offers.values():
            if offer["listingId"] == listing:
                return offer
        raise KeyError(listing)

    def is_price(self, price: Any, offer: Mapping[str, Any]) -> bool:
        value = price.get("value") if isinstance(price, dict) else None
        if not isinstance(value, str) or not _AMOUNT.match(value) or Decimal(value) <= 0:
            return False
        return bool(price.get("currency") == CURRENCY[offer["marketplaceId"]])

    def add(self, body: dict[str, Any]) -> Any:
        """Put a listing up, as made through the Inventory API."""
        marketplace = body.get("marketplace", "EBAY_US")
        price = {"value": body.get("price", "24.99"), "currency": CURRENCY[marketplace]}
        id = str(self._next_offer)
        offer = {
            "offerId": id,
            "sku": body.get("sku", f"LP-{len(self.offers) + 1:03}"),
            "marketplaceId": marketplace,
            "price": price,
            "availableQuantity": int(body.get("quantity", 1)),
            "soldQuantity": 0,
            "status": "PUBLISHED",
            "listingStatus": "ACTIVE",
            "listingId": body.get("listing_id") or self.new_listing_id(),
            "updates": [],
        }
        if not self.is_price(price, offer):
            raise ValueError("price: as in 24.99")
        self._next_offer += 1
        self.offers[id] = offer
        return offer

    def add_old(self, body: dict[str, Any]) -> Any:
        """Put a listing up that the Inventory API does not know until it is migrated."""
        id = self.new_listing_id()
        self.old_listings[id] = body
        return {"listingId": id}

    def sell(self, body: dict[str, Any]) -> Any:
        """Have a buyer buy one of a listing."""
        offer = self.listed(str(body["listing_id"]))
        if offer["listingStatus"] != "ACTIVE" or not offer["availableQuantity"]:
            raise ValueError("It is not for sale.")
        offer["availableQuantity"] -= 1
        offer["soldQuantity"] += 1
        now, number = utc(self._clock.now()), self._next_order
        self._next_order += 1
        value, currency = Decimal(offer["price"]["value"]), offer["price"]["currency"]
        total = {"value": f"{value + 5:.2f}", "currency": currency}
        order = {
            "orderId": f"12-{number:05}-89012",
            "creationDate": now,
            "lastModifiedDate": now,
            "orderFulfillmentStatus": "NOT_STARTED",
            "orderPaymentStatus": body.get("payment", "PAID"),
            "cancelStatus": {"cancelState": "NONE_REQUESTED"},
            "pricingSummary": {
                "priceSubtotal": dict(offer["price"]),
                "deliveryCost": {"value": "5.00", "currency": currency},
                "total": total,
            },
            "buyer": {"username": "buyer"},
            "lineItems": [
                {
                    "lineItemId": str(10_012_345_678_900 + number),
                    "legacyItemId": offer["listingId"],
                    "sku": offer["sku"],
                    "title": f"Listing of {offer['sku']}",
                    "quantity": 1,
                    "soldFormat": "FIXED_PRICE",
                    "lineItemCost": dict(offer["price"]),
                    "lineItemFulfillmentStatus": "NOT_STARTED",
                }
            ],
        }
        self.orders.append(order)
        return order

    def end(self, body: dict[str, Any]) -> Any:
        """Have a listing end: by the seller on the site, or by eBay."""
        offer = self.listed(str(body["listing_id"]))
        offer["listingStatus"] = body.get("status", "ENDED")
        return offer

    def new_listing_id(self) -> str:
        id = str(self._next_listing)
        self._next_listing += 1
        return id

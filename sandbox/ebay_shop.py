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
        for offer in (*self.offers.values(), *self.old_listings.values()):
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
        return self.offered(self._made(body))

    def offered(self, listing: Mapping[str, Any]) -> dict[str, Any]:
        """Return the offer that a listing is from now on."""
        id = str(self._next_offer)
        self._next_offer += 1
        self.offers[id] = {"offerId": id, **listing}
        return self.offers[id]

    def _made(self, body: Mapping[str, Any]) -> dict[str, Any]:
        marketplace = body.get("marketplace", "EBAY_US")
        price = {"value": body.get("price", "24.99"), "currency": CURRENCY[marketplace]}
        offer = {
            "sku": body.get("sku", f"LP-{len(self.offers) + 1:03}"),
            "marketplaceId": marketplace,
            "price": price,
            "availableQuantity": int(body.get("quantity", 1)),
            "soldQuantity": 0,
            "status": "PUBLISHED",
            "listingStatus": "ACTIVE",
            "listingId": self.new_listing_id(),
            "isOnHold": False,
            "updates": [],
        }
        if not self.is_price(price, offer):
            raise ValueError("price: as in 24.99")
        return offer

    def add_old(self, body: dict[str, Any]) -> Any:
        """Put a listing up that the Inventory API does not know until it is migrated."""
        listing = self._made(body)
        self.old_listings[listing["listingId"]] = listing
        return listing

    def sell(self, body: dict[str, Any]) -> Any:
        """Have a buyer buy `quantity` of a listing, one where it is not said."""
        offer, quantity = self.listed(str(body["listing_id"])), int(body.get("quantity", 1))
        if offer["listingStatus"] != "ACTIVE" or not 1 <= quantity <= offer["availableQuantity"]:
            raise ValueError("It is not for sale.")
        offer["availableQuantity"] -= quantity
        offer["soldQuantity"] += quantity
        now, number = utc(self._clock.now()), self._next_order
        self._next_order += 1
        value, currency = quantity * Decimal(offer["price"]["value"]), offer["price"]["currency"]
        cost = {"value": f"{value:.2f}", "currency": currency}
        total = {"value": f"{value + 5:.2f}", "currency": currency}
        order = {
            "orderId": f"12-{number:05}-89012",
            "creationDate": now,
            "lastModifiedDate": now,
            "orderFulfillmentStatus": "NOT_STARTED",
            "orderPaymentStatus": body.get("payment", "PAID"),
            "cancelStatus": {"cancelState": "NONE_REQUESTED"},
            "pricingSummary": {
                "priceSubtotal": cost,
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
                    "quantity": quantity,
                    "soldFormat": "FIXED_PRICE",
                    "lineItemCost": cost,
                    "lineItemFulfillmentStatus": "NOT_STARTED",
                }
            ],
        }
        self.orders.append(order)
        return order

    def reprice(self, body: dict[str, Any]) -> Any:
        """Have the seller set a listing's price on the site."""
        offer = self.listed(str(body["listing_id"]))
        price = {"value": str(body["price"]), "currency": offer["price"]["currency"]}
        if not self.is_price(price, offer):
            raise ValueError("price: as in 24.99")
        offer["price"] = price
        return offer

    def end(self, body: dict[str, Any]) -> Any:
        """Have a listing end: by the seller on the site, or by eBay."""
        offer = self.listed(str(body["listing_id"]))
        offer["listingStatus"] = body.get("status", "ENDED")
        return offer

    def hold(self, body: dict[str, Any]) -> Any:
        """Have eBay hide a listing until the seller mends something."""
        offer = self.listed(str(body["listing_id"]))
        offer["isOnHold"] = bool(body.get("is_on_hold", True))
        return offer

    def stock(self, body: dict[str, Any]) -> Any:
        """Have the seller say how many there are; with none the listing pauses."""
        offer = self.listed(str(body["listing_id"]))
        offer["availableQuantity"] = int(body["quantity"])
        return offer

    def cancel(self, body: dict[str, Any]) -> Any:
        """Have an order cancelled."""
        [order] = [order for order in self.orders if order["orderId"] == body["order_id"]]
        order |= {"cancelStatus": {"cancelState": "CANCELED"}, "lastModifiedDate": utc(self._clock.now())}
        return order

    def new_listing_id(self) -> str:
        id = str(self._next_listing)
        self._next_listing += 1
        return id

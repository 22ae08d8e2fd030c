"""eBay's Browse API: one listing as anybody sees it, in the currency of the marketplace where they look."""

from collections.abc import Mapping
from decimal import Decimal

from sandbox.ebay_shop import CURRENCY, EbayShop
from sandbox.ebay_wire import refused
from sandbox.wire import Reply, Request, answered

PATH = "/buy/browse/v1/item/get_item_by_legacy_id"
_RATE_TO_USD = {"EUR": Decimal("1.25"), "GBP": Decimal("1.50")}


def item(shop: EbayShop, request: Request) -> Reply:
    marketplace = request.headers.get("x-ebay-c-marketplace-id", "EBAY_US")
    if marketplace not in CURRENCY:
        raise refused(400, 11000, "Invalid marketplace.", "marketplace", "API_BROWSE")
    id = request.parameter("legacy_item_id") or ""
    offers = {offer["listingId"]: offer for offer in shop.offers.values() if offer["status"] == "PUBLISHED"}
    found = offers.get(id) or shop.old_listings.get(id)
    if found is None or found["listingStatus"] != "ACTIVE":
        raise refused(400, 11003 if found is None else 11004, "The item was not found.", domain="API_BROWSE")
    left = found["availableQuantity"]
    availability = {
        "estimatedAvailabilityStatus": "IN_STOCK" if left else "OUT_OF_STOCK",
        "estimatedAvailableQuantity": left,
        "estimatedSoldQuantity": found["soldQuantity"],
    }
    currency = "JPY" if request.fault == "wrong_currency" else CURRENCY[marketplace]
    price = _converted(found["price"], currency)
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


def _converted(price: Mapping[str, str], currency: str) -> dict[str, str]:
    """Return a price as it is shown where `currency` is used, with what it was converted from."""
    if price["currency"] == currency:
        return dict(price)
    rate = _RATE_TO_USD.get(price["currency"], Decimal(1)) / _RATE_TO_USD.get(currency, Decimal(1))
    shown = {"value": f"{Decimal(price['value']) * rate:.2f}", "currency": currency}
    return shown | {"convertedFromValue": price["value"], "convertedFromCurrency": price["currency"]}

"""Listings that the Inventory API does not know, as anybody sees them: by their id, out of few calls a day."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from domain.presence.listing import Listing, Seen, Unseen
from workers.marketplaces.base import Limited, Permanent
from workers.marketplaces.ebay_api import EbayApi, error_ids, refusal
from workers.marketplaces.ebay_offers import CURRENCIES, tried
from workers.marketplaces.money import Implausible, amount

NOT_FOUND, UNAVAILABLE, GROUP = frozenset({11001, 11003}), 11004, 11006
SPENT = "All calls of the day are spent that eBay has for listings which are no offers of its Inventory API."
_MARKETPLACES = {currency: marketplace for marketplace, currency in CURRENCIES.items()} | {
    "USD": "EBAY_US",
    "EUR": "EBAY_DE",
}
"""Where to ask for a listing in a currency: elsewhere its price is converted, and says what from."""


class _Price(Struct, rename="camel"):
    value: str
    currency: str
    converted_from_value: str | None = None
    converted_from_currency: str | None = None


class _Availability(Struct, rename="camel"):
    estimated_availability_status: str = ""
    estimated_sold_quantity: int = 0


class _Item(Struct, rename="camel"):
    legacy_item_id: str | None = None
    price: _Price | None = None
    estimated_availabilities: Sequence[_Availability] = ()
    item_end_date: datetime | None = None


class EbayBrowse:
    def __init__(self, api: EbayApi) -> None:
        self._api = api

    def read(self, listing: Listing) -> Seen | Unseen:
        """Raises Transient, Unavailable."""
        headers = {"X-EBAY-C-MARKETPLACE-ID": _MARKETPLACES.get(listing.currency, "EBAY_US")}
        query = {"legacy_item_id": listing.external_id}
        try:
            reply = self._api.asked_publicly("/item/get_item_by_legacy_id", query, headers)
        except Permanent as error:
            # It is the application's fault and no other listing's.
            return Unseen(listing.presence, str(error))
        except Limited as error:
            # Offers have a budget of their own, and are read on.
            if error.by is None:
                raise
            return Unseen(listing.presence, SPENT)
        # So that it is not looked for by the same SKUs each time.
        reference = {"tried": tried(listing)}
        if reply.status == 200:
            return self._seen(listing, self._api.gate.read(reply, _Item), reference)
        ids = error_ids(reply)
        if NOT_FOUND & {*ids}:
            return Seen(listing.presence, "removed", reference=reference)
        if UNAVAILABLE in ids:
            return Seen(listing.presence, "ended", reference=reference)
        if GROUP in ids:
            return Unseen(listing.presence, "The listing has variations, each with a price of its own.")
        return Unseen(listing.presence, str(refusal("show the listing", reply.status, ids)))

    def _seen(self, listing: Listing, item: _Item, reference: Mapping[str, str]) -> Seen | Unseen:
        if item.item_end_date is not None and item.item_end_date <= self._api.gate.now():
            return Seen(listing.presence, "ended", reference=reference)
        is_left = any(one.estimated_availability_status != "OUT_OF_STOCK" for one in item.estimated_availabilities)
        is_sold = any(one.estimated_sold_quantity for one in item.estimated_availabilities)
        status = "active"
        if item.estimated_availabilities and not is_left:
            status = "sold" if is_sold else "paused"
        if item.price is None:
            return Seen(listing.presence, status, reference=reference)
        value, currency = item.price.value, item.price.currency
        if item.price.converted_from_value is not None:
            value, currency = item.price.converted_from_value, item.price.converted_from_currency or ""
        try:
            return Seen(listing.presence, status, amount(value, currency), currency, reference)
        except Implausible:
            return Unseen(listing.presence, "eBay shows a price that cannot be one.")

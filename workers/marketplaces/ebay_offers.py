"""Listings as eBay's Inventory API has them: offers, which are found, read, priced and withdrawn."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from urllib.parse import quote

from msgspec import Struct

from domain.presence.listing import Listing, Seen, Unseen
from projections.budget import REVISIONS, Spend
from workers.marketplaces.base import Permanent, Transient
from workers.marketplaces.ebay_api import NO_OFFER, EbayApi, Error, Query, error_ids, refusal
from workers.marketplaces.money import Implausible, amount, to_send

REVISIONS_A_DAY = 250
KEPT_FOR_THE_SELLER = 10
OFFERS_A_PAGE = 25
SKUS = 10
"""So many SKUs of a product are looked up; who has more of them sold one by one finds the listing by another way."""
ID = re.compile(r"[0-9]{1,19}\Z")
CURRENCIES: Mapping[str, str] = {
    "EBAY_US": "USD",
    "EBAY_MOTORS_US": "USD",
    "EBAY_GB": "GBP",
    "EBAY_CA": "CAD",
    "EBAY_AU": "AUD",
    "EBAY_CH": "CHF",
    "EBAY_HK": "HKD",
    "EBAY_MY": "MYR",
    "EBAY_PH": "PHP",
    "EBAY_PL": "PLN",
    "EBAY_SG": "SGD",
    "EBAY_TW": "TWD",
    **dict.fromkeys(("EBAY_AT", "EBAY_BE", "EBAY_DE", "EBAY_ES", "EBAY_FR", "EBAY_IE", "EBAY_IT", "EBAY_NL"), "EUR"),
}
"""What prices are in, by marketplace."""
_LISTING_STATUSES: Mapping[str, str] = {
    "ACTIVE": "active",
    "INACTIVE": "ended",
    "ENDED": "ended",
    "EBAY_ENDED": "ended",
    "NOT_LISTED": "draft",
}


class Price(Struct):
    value: str
    currency: str


class _Pricing(Struct):
    price: Price | None = None


class _Listed(Struct, rename="camel"):
    listing_id: str | None = None
    listing_status: str = ""
    sold_quantity: int = 0
    listing_on_hold: bool = False


class Offer(Struct, rename="camel"):
    offer_id: str
    sku: str = ""
    marketplace_id: str = ""
    pricing_summary: _Pricing | None = None
    listing: _Listed | None = None

    @property
    def reference(self) -> Mapping[str, str]:
        return {"offer_id": self.offer_id, "sku": self.sku}

    def status_of(self, listing_id: str) -> str | None:
        """Return what became of a listing that this offer is, or was; None for what eBay did not use to call one."""
        listed = self.listing
        if listed is None or listed.listing_id != listing_id:
            # Withdrawn, and maybe up again: that is another listing.
            return "ended"
        if listed.listing_status == "OUT_OF_STOCK":
            return "sold" if listed.sold_quantity else "paused"
        status = _LISTING_STATUSES.get(listed.listing_status)
        # eBay hides it until the seller does something about it.
        return "error" if status == "active" and listed.listing_on_hold else status


class _Offers(Struct):
    offers: Sequence[Offer] = ()
    total: int = 0


class _Response(Struct, rename="camel"):
    status_code: int
    offer_id: str = ""
    errors: Sequence[Error] | None = None


class _Responses(Struct):
    responses: Sequence[_Response]


class _Item(Struct, rename="camel"):
    offer_id: str
    sku: str = ""


class _Migrated(Struct, rename="camel"):
    status_code: int
    inventory_items: Sequence[_Item] | None = None
    errors: Sequence[Error] | None = None


class _Migration(Struct):
    responses: Sequence[_Migrated]


def seen(listing: Listing, offer: Offer) -> Seen | Unseen:
    """Return what an offer shows of a listing."""
    status = offer.status_of(listing.external_id)
    if status is None:
        return Unseen(listing.presence, "eBay shows a status that is not known.")
    price = offer.pricing_summary.price if offer.pricing_summary else None
    if price is None or status == "ended":
        return Seen(listing.presence, status, reference=offer.reference)
    if CURRENCIES.get(offer.marketplace_id, price.currency) != price.currency:
        return Unseen(listing.presence, f"eBay shows a price in {price.currency[:3]} where there are none.")
    try:
        value = amount(price.value, price.currency)
    except Implausible:
        return Unseen(listing.presence, "eBay shows a price that cannot be one.")
    return Seen(listing.presence, status, value, price.currency, offer.reference)


class EbayOffers:
    def __init__(self, api: EbayApi) -> None:
        self._api = api

    def get(self, offer_id: str) -> Offer | None:
        """Return an offer, None where there is none. Raises MarketplaceError, Unavailable."""
        reply = self._api.asked("GET", "inventory", f"/offer/{quote(offer_id, safe='')}")
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise refusal("show the offer", reply.status, error_ids(reply))
        return self._api.gate.read(reply, Offer)

    def found(self, listing: Listing) -> Offer | None:
        """Return the offer that a listing is, by its reference or its product's SKUs. Raises as `get`."""
        reference = listing.reference or {}
        offer = self.get(reference["offer_id"]) if "offer_id" in reference else None
        if offer is not None or reference.get("tried") == tried(listing):
            return offer
        return self.by_sku(listing)

    def by_sku(self, listing: Listing) -> Offer | None:
        for sku in listing.skus[:SKUS]:
            for offer in self._of_sku(sku):
                if offer.listing is not None and offer.listing.listing_id == listing.external_id:
                    return offer
        return None

    def _of_sku(self, sku: str) -> Sequence[Offer]:
        found: list[Offer] = []
        # Of pages, here.
        for page in range(10):
            query: Query = {"sku": sku, "limit": OFFERS_A_PAGE, "offset": page}
            reply = self._api.asked("GET", "inventory", "/offer", query=query)
            if reply.status != 200:
                # Nobody sells anything by this SKU, or it is none at eBay.
                break
            offers = self._api.gate.read(reply, _Offers)
            found += offers.offers
            if len(found) >= offers.total or not offers.offers:
                break
        return found

    def to_change(self, listing: Listing) -> Mapping[str, str]:
        """Return the reference of a listing that is to be changed, which has to be an offer. Raises as `get`."""
        reference = listing.reference or {}
        if "offer_id" in reference:
            return reference
        offer = self.by_sku(listing)
        return self.migrated(listing) if offer is None else offer.reference

    def migrated(self, listing: Listing) -> Mapping[str, str]:
        """Have eBay make an offer of a listing that was put up by other ways. Raises as `get`."""
        body = {"requests": [{"listingId": listing.external_id}]}
        reply = self._api.asked("POST", "inventory", "/bulk_migrate_listing", body=body)
        what = "make an offer of this listing: it wants a fixed price, a SKU and business policies"
        if reply.status >= 300:
            raise refusal(what, reply.status, error_ids(reply))
        [done] = self._api.gate.read(reply, _Migration).responses or [_Migrated(500)]
        if done.status_code >= 300:
            raise refusal(what, done.status_code, {error.error_id for error in done.errors or ()})
        items = done.inventory_items or ()
        if len(items) != 1:
            raise Permanent("The listing has variations: eBay prices and ends them one by one.")
        return {"offer_id": items[0].offer_id, "sku": items[0].sku}

    def set_price(self, listing: Listing, offer_id: str, price: Decimal) -> bool:
        """Return whether there was such an offer. Raises as `get`."""
        value = to_send(price, listing.currency)
        # No quantity: what was sold this moment is not to be put up again.
        offer = {"offerId": offer_id, "price": {"value": f"{value:f}", "currency": listing.currency}}
        revision = Spend(f"{REVISIONS}{listing.external_id}", a_day=REVISIONS_A_DAY - KEPT_FOR_THE_SELLER)
        reply = self._api.asked(
            "POST",
            "inventory",
            "/bulk_update_price_quantity",
            body={"requests": [{"offers": [offer]}]},
            spends=[revision],
        )
        if reply.status >= 300:
            raise refusal("change the price", reply.status, error_ids(reply))
        done = [one for one in self._api.gate.read(reply, _Responses).responses if one.offer_id == offer_id]
        if len(done) != 1:
            raise Transient("eBay does not say what became of the price.")
        if done[0].status_code < 300:
            return True
        ids = {error.error_id for error in done[0].errors or ()}
        if NO_OFFER in ids:
            return False
        raise refusal("change the price", done[0].status_code, ids)

    def withdraw(self, offer_id: str) -> bool:
        """End an offer's listing; return whether it was up. Raises as `get`."""
        reply = self._api.asked("POST", "inventory", f"/offer/{quote(offer_id, safe='')}/withdraw")
        if reply.status == 200:
            self._api.gate.read(reply, dict)
            return True
        ids = error_ids(reply)
        if NO_OFFER in ids or reply.status == 404:
            return False
        raise refusal("end the listing", reply.status, ids)


def tried(listing: Listing) -> str:
    """Return what a listing was looked for by, to be kept where that was in vain."""
    return ",".join(listing.skus[:SKUS])

"""Discogs' listings as its answers have them, and what they say in our terms."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from domain.presence.listing import Listing, Seen, Unseen
from workers.marketplaces.money import Implausible, amount

ID = re.compile(r"[0-9]{1,18}\Z")
EDITABLE = frozenset({"For Sale", "Draft", "Expired"})
NO_PRICE = "Discogs shows a price that cannot be one."
_STATUSES: Mapping[str, str] = {
    "For Sale": "active",
    "Draft": "paused",
    "Sold": "sold",
    "Expired": "ended",
    "Suspended": "error",
    "Violation": "error",
    "Deleted": "removed",
}


class Price(Struct):
    value: Decimal
    currency: str


class _Original(Struct):
    value: Decimal
    curr_abbr: str


class _Release(Struct):
    id: int


class _Seller(Struct):
    username: str = ""


class Shown(Struct):
    """One listing. `price` is converted for whoever asks, but in an inventory; `original_price` is what was listed."""

    id: int
    status: str
    release: _Release
    condition: str = ""
    price: Price | None = None
    original_price: _Original | None = None
    sleeve_condition: str | UnsetType | None = UNSET
    allow_offers: bool = False
    comments: str | UnsetType | None = UNSET
    seller: _Seller | None = None
    weight: Any = UNSET
    format_quantity: Any = UNSET
    external_id: Any = UNSET
    location: Any = UNSET

    @property
    def is_shown_to_owner(self) -> bool:
        """Say whether there is anything that only the seller sees."""
        return any(getattr(self, name) is not UNSET for name in _OWNERS)

    def listed_price(self) -> tuple[Decimal, str]:
        """Return what was listed and its currency. Raises Implausible."""
        if self.original_price is None:
            raise Implausible
        currency = self.original_price.curr_abbr
        return amount(self.original_price.value, currency), currency

    def to_post(self, price: Decimal, status: str) -> dict[str, Any]:
        """Return all of it, since a POST drops what it does not say."""
        said = {
            "release_id": self.release.id,
            "condition": self.condition,
            "price": price,
            "status": status,
            "allow_offers": self.allow_offers,
        }
        kept = {name: getattr(self, name) for name in _KEPT}
        return said | {name: value for name, value in kept.items() if value is not UNSET and value is not None}


_OWNERS = ("weight", "format_quantity", "external_id", "location")
_KEPT = ("sleeve_condition", "comments", *_OWNERS)


class _Pagination(Struct):
    pages: int


class Inventory(Struct):
    pagination: _Pagination
    listings: Sequence[Shown]


class Identity(Struct):
    username: str


def seen(listing: Listing, shown: Shown) -> Seen | Unseen:
    """Return what is shown of a listing."""
    status = _STATUSES.get(shown.status)
    if status is None:
        return Unseen(listing.presence, "Discogs shows a status that is not known.")
    if status == "removed":
        return Seen(listing.presence, status)
    try:
        price, currency = shown.listed_price()
    except Implausible:
        return Unseen(listing.presence, NO_PRICE)
    return Seen(listing.presence, status, price, currency)


def currency_of(shown: Shown) -> str | None:
    return shown.original_price.curr_abbr if shown.original_price else None


def is_news(listing: Listing, shown: Shown) -> bool:
    """Say whether it is in another currency than we know of."""
    return currency_of(shown) not in {None, listing.currency}


def of_inventory(shown: Shown) -> Shown:
    """Return it with the price that was listed: an inventory has both in the seller's currency, or none that counts."""
    original, price = shown.original_price, shown.price
    if original is None and price is not None:
        return structs.replace(shown, original_price=_Original(price.value, price.currency))
    if original is not None and price is not None and original.curr_abbr != price.currency:
        return structs.replace(shown, original_price=None)
    return shown

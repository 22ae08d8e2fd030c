"""What one Discogs seller has: listings and orders, and what happens to them beside the API."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.clock import Clock

_PRICE = re.compile(r"(?!0*\.?0*$)\d{1,8}(\.\d{1,2})?")
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


class DiscogsShop:
    """`currency` is what all prices of the seller's are in. `others` are listings of another seller."""

    def __init__(self, clock: Clock, username: str, currency: str) -> None:
        self._clock = clock
        self.username = username
        self.currency = currency
        self.listings: dict[int, dict[str, Any]] = {}
        self.orders: list[dict[str, Any]] = []
        self.others: set[int] = set()
        self._next_listing = 172_723_812

    def make(self, said: Mapping[str, Any]) -> dict[str, Any]:
        id = self._next_listing
        self._next_listing += 1
        listing = {"id": id, "release_id": said["release_id"], "posted": _stamp(self._clock.now()), **content(said)}
        self.listings[id] = listing
        return listing

    def add(self, body: dict[str, Any]) -> Any:
        """Put a listing up, as the seller would on the site."""
        defaults = {"release_id": 5610049, "condition": CONDITIONS[1], "price": "21.00", "status": "For Sale"}
        said = {**defaults, **body}
        return plain(self.make({**said, "price": Decimal(str(said["price"]))}))

    def sell(self, body: dict[str, Any]) -> Any:
        """Have a buyer order a listing that is for sale."""
        listing = self.listings[int(body["listing_id"])]
        if listing["status"] != "For Sale":
            raise ValueError("It is not for sale.")
        listing["status"] = "Sold"
        now, price = _stamp(self._clock.now()), float(listing["price"])
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

    def reprice(self, body: dict[str, Any]) -> Any:
        """Have the seller set a listing's price on the site."""
        listing, price = self.listings[int(body["listing_id"])], str(body["price"])
        if not _PRICE.fullmatch(price):
            raise ValueError("price: as in 24.99")
        listing["price"] = Decimal(price)
        return plain(listing)

    def set_status(self, body: dict[str, Any]) -> Any:
        """Have a listing expire, be suspended, and so on."""
        if body["status"] not in STATUSES:
            raise ValueError(f"status: one of {', '.join(STATUSES)}")
        listing = self.listings[int(body["listing_id"])]
        listing["status"] = body["status"]
        return plain(listing)

    def settle(self, body: dict[str, Any]) -> Any:
        """Move an order on."""
        if body["status"] not in ORDER_STATUSES:
            raise ValueError(f"status: one of {', '.join(ORDER_STATUSES)}")
        [order] = [order for order in self.orders if order["id"] == body["order_id"]]
        order |= {"status": body["status"], "last_activity": _stamp(self._clock.now())}
        return order


def content(said: Mapping[str, Any]) -> dict[str, Any]:
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


def plain(listing: Mapping[str, Any]) -> dict[str, Any]:
    return {**listing, "price": str(listing["price"])}


def _stamp(moment: datetime) -> str:
    """Return a time as Discogs writes it: 2026-01-02T10:00:00-08:00."""
    return (moment.replace(tzinfo=None) - timedelta(hours=8)).isoformat(timespec="seconds") + "-08:00"

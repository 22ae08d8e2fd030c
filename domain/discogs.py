"""Discogs' own words in files of sellers, and what they are here."""

from collections.abc import Mapping
from typing import NamedTuple

PLATFORM = "plat_discogs"
RELEASE_TITLE = "Discogs release"
"""What a product's external id is called where it is the number of a release."""

GRADES: Mapping[str, str] = {
    "mint": "Mint (M)",
    "near_mint": "Near Mint (NM or M-)",
    "vg_plus": "Very Good Plus (VG+)",
    "vg": "Very Good (VG)",
    "good_plus": "Good Plus (G+)",
    "good": "Good (G)",
    "fair": "Fair (F)",
    "poor": "Poor (P)",
}
SLEEVE_GRADES: Mapping[str, str] = {
    **GRADES,
    "generic": "Generic",
    "not_graded": "Not Graded",
    "no_cover": "No Cover",
}


class Standing(NamedTuple):
    """What a listing's status says of the copy and of the listing. Where only the listing is over, the copy is still
    there."""

    item: str
    presence: str


FOR_SALE, DRAFT = "For Sale", "Draft"
STANDINGS: Mapping[str, Standing] = {
    FOR_SALE: Standing("listed", "active"),
    DRAFT: Standing("ready-to-sell", "draft"),
    "Sold": Standing("sold", "sold"),
    "Expired": Standing("ready-to-sell", "ended"),
    "Suspended": Standing("ready-to-sell", "ended"),
    "Violation": Standing("ready-to-sell", "ended"),
    "Deleted": Standing("archived", "removed"),
}


def listing_url(listing_id: str) -> str:
    return f"https://www.discogs.com/sell/item/{listing_id}"

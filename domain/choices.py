"""The values that fields choose from, each with its label. GET /api/v1/choices/ serves them all."""

from collections.abc import Mapping

from domain.currencies import CURRENCIES

Choices = Mapping[str, str]

PRODUCT_TYPES: Choices = {
    "physical": "Physical",
    "digital": "Digital",
    "digital-report": "Digital Report",
    "nft": "NFT",
}

LICENSE_TYPES: Choices = {
    "personal": "Personal",
    "commercial": "Commercial",
    "extended-commercial": "Extended Commercial",
    "royalty-free": "Royalty Free",
    "rights-managed": "Rights Managed",
    "exclusive": "Exclusive",
    "editorial": "Editorial",
    "cc0": "CC0",
    "cc-by": "CC BY",
    "cc-by-sa": "CC BY-SA",
    "cc-by-nc": "CC BY-NC",
    "public-domain": "Public Domain",
    "other": "Other",
}

INVENTORY_STATUSES: Choices = {
    "draft": "Draft",
    "ordered": "Ordered",
    "received": "Received",
    "ready-to-sell": "Ready to Sell",
    "reserved": "Reserved",
    "listed": "Listed",
    "sold": "Sold",
    "shipped": "Shipped",
    "returned": "Returned",
    "archived": "Archived",
}
"""In the order of an item's life."""

PURCHASE_STATUSES: Choices = {
    "pending": "Pending",
    "sent": "Sent",
    "failed": "Failed",
    "revoked": "Revoked",
}
"""How far its mail is, or that it was taken back."""

ITEM_CONDITIONS: Choices = {
    "mint": "M",
    "near_mint": "NM",
    "vg_plus": "VG+",
    "vg": "VG",
    "good_plus": "G+",
    "good": "G",
    "fair": "F",
    "poor": "P",
}
"""Goldmine's grades, best first."""

CONTAINER_CONDITIONS: Choices = {
    **ITEM_CONDITIONS,
    "generic": "Generic",
    "not_graded": "Not Graded",
    "no_cover": "No Cover",
}

GRADE_TIERS: Choices = {
    "mint": "Mint",
    "excellent": "Excellent",
    "very_good": "Very Good",
    "good": "Good",
    "fair": "Fair",
    "poor": "Poor",
}

PRESENCE_STATUSES: Choices = {
    "active": "Active",
    "draft": "Draft",
    "paused": "Paused",
    "ended": "Ended",
    "removed": "Removed",
    "sold": "Sold",
    "error": "Error",
}

CHOICES: Mapping[str, Choices] = {
    "type": PRODUCT_TYPES,
    "license_type": LICENSE_TYPES,
    "status": INVENTORY_STATUSES,
    "condition_item": ITEM_CONDITIONS,
    "condition_container": CONTAINER_CONDITIONS,
    "grade_tier": GRADE_TIERS,
    "presence_status": PRESENCE_STATUSES,
    "listing_currency": CURRENCIES,
}

"""A listing: what a marketplace shows of a presence, and what was sold of it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class Listing(NamedTuple):
    """What is known of a listing before the marketplace is asked. `reference` has the platform's further ids of it,
    None where they were not looked up yet; `skus` are those of the product's items, which it may be found by; `version`
    is the presence's, so that what was asked before a change here is not taken for newer than it.
    """

    presence: UUID
    product: UUID
    external_id: str
    currency: str
    reference: Mapping[str, str] | None = None
    skus: tuple[str, ...] = ()
    version: int = 0


class Seen(NamedTuple):
    """What the marketplace shows. `status` is one of PRESENCE_STATUSES, ended or removed for what is gone; `price` is
    what was listed, not what was converted for a viewer; None where it shows none.
    """

    presence: UUID
    status: str
    price: Decimal | None = None
    currency: str | None = None
    reference: Mapping[str, str] | None = None


class Unseen(NamedTuple):
    """A listing that could not be read, and why, in our own words."""

    presence: UUID
    reason: str


class Sale(NamedTuple):
    """One line of an order. `listing` is the platform's id of what was sold; `moved` is when the order last changed."""

    order: str
    line: str
    listing: str
    sku: str | None
    price: Decimal
    currency: str
    sold: datetime
    moved: datetime
    is_cancelled: bool = False

"""What is for sale, as rows of the file that Discogs takes listings from."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from domain import discogs
from domain.discogs import GRADES, RELEASE_TITLE, SLEEVE_GRADES
from domain.presence.presence import OVER
from domain.rates import USD
from projections.base import Reader, queries
from projections.documents import fill
from projections.inventory import AVAILABLE, LISTED, STATUS_RANK

COLUMNS = ("release_id", "price", "media_condition", "sleeve_condition", "comments", "status", "external_id")
LOCATION = "location"
PAGE_ROWS = 500
_SQL = queries("discogs_upload")
_STATUSES = [STATUS_RANK[status] for status in sorted({*AVAILABLE, LISTED})]
_FIRST = (UUID(int=0), 0)


class _Product(Struct):
    uid: str
    title: str | None


class _Item(Struct):
    uid: str
    status: str
    condition_item: str | None
    condition_container: str | None
    condition_comments: str | None
    price_total_usd: str | None
    listing_current_price: str | None
    product: _Product
    manual_sku: str | None
    manual_description: str | None


class _Presence(Struct):
    external_listing_id: str | None
    status: str
    listing_price: str | None
    listing_currency: str


class _Metadata(Struct):
    external_id: str | None
    external_id_title: str | None


class _Tail(Struct):
    metadata: _Metadata | None


_item = msgspec.json.Decoder(_Item).decode
_presence = msgspec.json.Decoder(_Presence).decode
_tail = msgspec.json.Decoder(_Tail).decode


class Written(NamedTuple):
    """The cells of COLUMNS and LOCATION."""

    cells: Sequence[str]


class LeftOut(NamedTuple):
    """An item that Discogs would not take, or has, and why."""

    item: str
    product: str
    title: str | None
    reason: str


class Sellable(NamedTuple):
    """How many items there are to write, and whether any has a LOCATION."""

    total: int
    has_location: bool


async def sellable(reader: Reader, organization: UUID) -> Sellable:
    found = await reader.row(_SQL["sellable"], [organization, _STATUSES])
    assert found is not None
    return Sellable(*found)


async def upload_rows(
    reader: Reader, organization: UUID, currency: str = USD, *, only_unlisted: bool = False
) -> AsyncIterator[Written | LeftOut]:
    """Yield what is available or listed, copies of a product together. With `only_unlisted` what has a listing on
    Discogs that is not over is left out. A price in another currency than USD is that of the copy's listing there."""
    after = _FIRST
    while True:
        rows = await reader.rows(_SQL["page"], [organization, _STATUSES, *after, PAGE_ROWS])
        for _, _, document, tail, claimed, presence in rows:
            item = _item(fill(document, ""))
            listing = None if presence is None else _presence(presence)
            yield _row(item, _release(tail) or claimed, listing, currency, only_unlisted=only_unlisted)
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1][0], rows[-1][1]


def _release(tail: str) -> str | None:
    """Return the release that a product's document says it is; `tail` is where that ends, from a comma on."""
    metadata = _tail("{" + tail[1:]).metadata
    if metadata is None or metadata.external_id is None:
        return None
    is_release = (metadata.external_id_title or "").casefold() == RELEASE_TITLE.casefold()
    return metadata.external_id if is_release and metadata.external_id.isdecimal() else None


def _row(
    item: _Item, release: str | None, listing: _Presence | None, currency: str, *, only_unlisted: bool
) -> Written | LeftOut:
    price = listing.listing_price if listing is not None and listing.listing_currency == currency else None
    if currency == USD:
        price = item.listing_current_price or item.price_total_usd or price
    reason = None
    if release is None:
        reason = "its product has no Discogs release id"
    elif only_unlisted and listing is not None and listing.status not in OVER:
        reason = f"it is listed as {listing.external_listing_id}"
    elif item.condition_item is None:
        reason = "it has no condition_item, which Discogs requires"
    elif price is None:
        reason = f"it has no price in {currency}"
    if reason is not None or release is None or item.condition_item is None or price is None:
        return LeftOut(item.uid, item.product.uid, item.product.title, reason or "")
    return Written(
        (
            release,
            price,
            GRADES[item.condition_item],
            SLEEVE_GRADES[item.condition_container] if item.condition_container else "",
            item.condition_comments or "",
            discogs.FOR_SALE if item.status == LISTED else discogs.DRAFT,
            # The item's own uid leads a later import back to it.
            item.manual_sku or item.uid,
            item.manual_description or "",
        )
    )

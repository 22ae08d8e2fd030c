"""What a row of a seller's file says of its copies, and of their listing on Discogs."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

from commands.imports import cells as read
from commands.imports.arrivals import Copies
from commands.imports.errors import Refusal, explain
from commands.imports.formats import Layout
from domain.discogs import FOR_SALE, PLATFORM, STANDINGS, listing_url
from domain.inventory.form import REVISE
from domain.rates import USD

MAX_COPIES = 1000
"""More than this of one listing is a slip of the keyboard, and would be one transaction."""

_NUMBER = re.compile(r"[1-9]\d{0,17}\Z", re.ASCII)
_STATUSES = {status.casefold(): status for status in STANDINGS}
# Item's field -> the column that says it, as Discogs calls it.
_COLUMNS: Mapping[str, str] = {
    "condition_item": "media_condition",
    "condition_container": "sleeve_condition",
    "condition_comments": "comments",
    "manual_sku": "external_id",
    "manual_description": "location",
    "listing_current_price": "price",
}


def copies_reader(layout: Layout, currency: str) -> Callable[[Sequence[str], str], Copies | None]:
    """Return what reads the copies from a row's cells and the claim of its product. It raises Refusal."""
    columns = layout.item

    def copies(cells: Sequence[str], product: str) -> Copies | None:
        said = {field: cell for field, at in columns.items() if (cell := read.text(cells[at])) is not None}
        return _copies(said, product, currency) if columns else None

    return copies


def _copies(said: Mapping[str, str], product: str, currency: str) -> Copies | None:
    listing_id, status = said.get("listing_id"), _status(said.get("status"))
    if listing_id is not None and not _NUMBER.match(listing_id):
        raise Refusal(f'listing_id: "{listing_id[:40]}" is not a number of a Discogs listing.')
    price = _price(said.get("price"))
    if price is not None and currency != USD and listing_id is None:
        raise Refusal(f"price: Without a listing it cannot be in {currency}: prices of items are in USD.")
    parsed, errors = REVISE.parse(
        {
            "condition_item": _grade(said, "media_condition", read.GRADES),
            "condition_container": _grade(said, "sleeve_condition", read.SLEEVE_GRADES),
            "condition_comments": said.get("comments"),
            "manual_sku": said.get("external_id"),
            "manual_description": said.get("location"),
            "listing_current_price": price,
        }
    )
    if errors:
        raise Refusal(explain({_COLUMNS[field]: messages for field, messages in errors.items()}))
    standing = STANDINGS[status] if status else STANDINGS["Draft"]
    amount = parsed["listing_current_price"]
    values = {name: value for name, value in parsed.items() if value is not None} | {"status": standing.item}
    if currency != USD:
        values.pop("listing_current_price", None)
    source, name = _named(listing_id, values, product)
    return Copies(
        source=source,
        name=name,
        values=values,
        count=_count(said.get("quantity"), status),
        listing=None
        if listing_id is None
        else {
            "platform_uid": PLATFORM,
            "external_listing_id": listing_id,
            "external_url": listing_url(listing_id),
            "status": standing.presence,
            "listing_price": amount,
            "listing_currency": currency,
            "is_selling_enabled": status == FOR_SALE,
        },
    )


def _status(cell: str | None) -> str | None:
    if cell is None:
        return None
    if cell.casefold() not in _STATUSES:
        raise Refusal(f'status: "{cell[:80]}" cannot be read.')
    return _STATUSES[cell.casefold()]


def _grade(said: Mapping[str, str], field: str, grades: dict[str, str]) -> str | None:
    cell = said.get(field)
    if cell is None:
        return None
    if (code := read.grade(cell, grades)) is None:
        raise Refusal(f'{field}: "{cell[:80]}" cannot be read.')
    return code


def _price(cell: str | None) -> str | None:
    """Return the amount as digits; None for 0, with which Discogs shows a draft that has no price."""
    if cell is None:
        return None
    try:
        amount = Decimal(read.price(cell))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0 or amount.adjusted() > 20:
        raise Refusal(f'price: "{cell[:80]}" cannot be read.')
    return f"{amount.normalize():f}" if amount else None


def _count(cell: str | None, status: str | None) -> int:
    if cell is None:
        return 1
    count = int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else -1
    if not 0 <= count <= MAX_COPIES:
        raise Refusal(f'quantity: "{cell[:40]}" is not a number from 0 to {MAX_COPIES}.')
    # Of a listing that sold out the one copy is known that was sold.
    return count or int(status == "Sold")


def _named(listing_id: str | None, values: Mapping[str, Any], product: str) -> tuple[str, str]:
    """Return by what the copies are known again, and its name: the listing, the seller's own number, or all that the
    row says but the status, which moves."""
    if listing_id is not None:
        return "listing", listing_id
    if (number := values.get("manual_sku")) is not None:
        return "external", f"{product}:{number}"
    content = [product, *(str(values.get(field)) for field in _COLUMNS)]
    return "content", blake2b("\x1f".join(content).encode(), digest_size=16).hexdigest()

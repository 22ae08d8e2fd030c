"""The presences' read model: `presence_list`, one row a presence with its finished document."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from domain.presence.presence import OVER, Presence
from projections.base import Reader, queries
from projections.documents import encode
from projections.guards import Guard, guarded
from projections.presence_document import presence_document, redbubble_presence

_SQL = queries("presence")
ACTIVE = "active"

COLUMNS = (
    "id",
    "organization",
    "product",
    "number",
    "is_nested",
    "is_active",
    "price",
    "image",
    "redbubble",
    "document",
)


class Row(NamedTuple):
    """One presence's answer."""

    id: UUID
    document: str


def presence_row(presence: Presence) -> tuple[Any, ...]:
    """Return the values of COLUMNS. The one place that says what a presence looks like in the table."""
    return (
        presence.id,
        presence.organization,
        presence.product,
        presence.number,
        presence.status not in OVER,
        presence.status == ACTIVE,
        presence.listing_price_usd,
        encode(presence.image_url).decode() if presence.image_url else None,
        redbubble_presence(presence),
        presence_document(presence),
    )


def expect(id: UUID, accepts: Callable[[str], bool]) -> Guard:
    """Return a guard that lets a write go on only while `accepts` holds for the presence's document.

    Of many writers on one document exactly one passes: it holds the product's row. See guarded.
    """
    return guarded((_SQL["hold_product"], _SQL["held"]), id, lambda row: accepts(row["document"]))


async def of_product(reader: Reader, organization: UUID, product: UUID) -> str | None:
    """Return all presences of a product, oldest first, as the inside of a JSON array; None without such a product."""
    found = await reader.row(_SQL["of_product"], [product, organization])
    return None if found is None else found[0]


async def detail(reader: Reader, organization: UUID, product: UUID, number: int) -> Row | None:
    """Return a product's presence by its number; None where the organization has no such product or presence."""
    found = await reader.row(_SQL["detail"], [organization, product, number])
    return None if found is None else Row(*found)

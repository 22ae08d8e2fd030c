"""The digital assets' read model: `asset_list`, one row an asset with its finished document."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from domain import ids
from domain.asset.asset import Asset
from domain.words import FIELD_GAP, vector
from projections.base import Reader, queries
from projections.documents import encode
from projections.guards import Guard, guarded

_SQL = queries("asset")
PRINTABLE = frozenset({"image/png", "image/jpeg"})
"""What print on demand takes."""

COLUMNS = (
    "id",
    "organization",
    "product",
    "revision",
    "is_primary",
    "is_printable",
    "created",
    "words",
    "document",
)


class AssetDocument(Struct, frozen=True, kw_only=True):
    """`size` is in bytes, `sha256` hexadecimal."""

    uid: str
    product_uid: str
    display_name: str | None
    description: str | None
    filename: str
    content_type: str
    size: int
    sha256: str
    is_primary: bool
    created: datetime
    updated: datetime


class Row(NamedTuple):
    """One asset's answer."""

    product: UUID
    document: str
    revision: int


def asset_document(asset: Asset) -> str:
    """Return the asset object as JSON text."""
    return encode(
        AssetDocument(
            uid=ids.uid(ids.ASSET, asset.id),
            product_uid=ids.uid(ids.PRODUCT, asset.product),
            display_name=asset.display_name,
            description=asset.description,
            filename=asset.filename,
            content_type=asset.content_type,
            size=asset.size_bytes,
            sha256=asset.sha256,
            is_primary=asset.is_primary,
            created=asset.created,
            updated=asset.updated,
        )
    ).decode()


def asset_row(asset: Asset) -> tuple[Any, ...]:
    """Return the values of COLUMNS. The one place that says what an asset looks like in the table."""
    return (
        asset.id,
        asset.organization,
        asset.product,
        asset.version,
        asset.is_primary,
        asset.content_type in PRINTABLE,
        asset.created,
        # They come behind the product's own.
        vector(asset.organization, (asset.filename,), position=FIELD_GAP + 1),
        asset_document(asset),
    )


def expect(id: UUID, accepts: Callable[[int], bool]) -> Guard:
    """Return a guard that lets a write go on only while `accepts` holds for the asset's revision.

    Of many writers on one revision exactly one passes: it holds the product's row. See guarded.
    """
    return guarded((_SQL["hold_product"], _SQL["held"]), id, lambda row: accepts(row["revision"]))


async def of_product(reader: Reader, organization: UUID, product: UUID) -> str | None:
    """Return all assets of a product, oldest first, as the inside of a JSON array; None without such a product."""
    found = await reader.row(_SQL["of_product"], [product, organization])
    return None if found is None else found[0]


async def type_of_product(reader: Reader, organization: UUID, product: UUID) -> str | None:
    """Return the product's type; None where the organization has no such product."""
    found = await reader.row(_SQL["type_of_product"], [product, organization])
    return None if found is None else found[0]


async def detail(reader: Reader, organization: UUID, id: UUID) -> Row | None:
    """Return one asset; None where the organization has no such asset."""
    found = await reader.row(_SQL["detail"], [id, organization])
    return None if found is None else Row(*found)

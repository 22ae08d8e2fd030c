"""The products' read model: `product_list`, one row a product, and its finished document in `product_document`."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from domain.product.product import Product
from domain.words import vector
from projections.base import Reader, queries
from projections.guards import Guard, guarded
from projections.product_document import own_image, product_document

_SQL = queries("product")
TAG_SEPARATOR = "\x1f"
_EPOCH, _MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)

COLUMNS = (
    "id",
    "organization",
    "revision",
    "type",
    "title_key",
    "artist_key",
    "created",
    "updated",
    "price_override",
    "tags",
    "is_mature",
    "search",
    "image",
    "document",
)


class Row(NamedTuple):
    """One product's answer: `document` is JSON text with its holes and seams, `revision` see _revision."""

    document: str
    revision: str


def product_row(product: Product) -> tuple[Any, ...]:
    """Return the values of COLUMNS. The one place that says what a product itself looks like in the tables."""
    tags = product.tags
    artist = product.artist.name if product.artist else None
    label = product.music_label.name if product.music_label else None
    return (
        product.id,
        product.organization,
        product.version,
        product.type,
        None if product.title is None else product.title.casefold(),
        None if artist is None else artist.casefold(),
        product.created,
        product.updated,
        product.price_override_usd,
        TAG_SEPARATOR.join(tags).casefold(),
        product.is_mature_content,
        vector(
            product.organization,
            (
                product.title,
                product.catalog_number,
                *tags,
                artist,
                label,
                product.license_type,
                product.license_notes,
                product.marketplace_description,
            ),
            (product.catalog_number,),
        ),
        own_image(product),
        product_document(product),
    )


def _revision(own: int, family: int) -> str:
    """Return the count of a product's events and, past a point, that of its family's where it has any: items, presences
    and digital assets."""
    return f"{own}.{family}" if family else str(own)


def _checked(at: datetime | None) -> str:
    """Return what tells apart what only checks changed, in microseconds: it makes no write stale."""
    return "" if at is None else f"+{(at - _EPOCH) // _MICROSECOND}"


def expect(id: UUID, accepts: Callable[[str], bool]) -> Guard:
    """Return a guard that lets a write go on only while `accepts` holds for the product's revision. See guarded."""
    return guarded((_SQL["revision"],), id, lambda row: accepts(_revision(row["revision"], row["child_revision"])))


async def documents(reader: Reader, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the documents of those products that are there, whoever's they are."""
    return dict(await reader.rows(_SQL["documents"], [list(ids)]))


async def detail(reader: Reader, organization: UUID, id: UUID) -> Row | None:
    """Return one product; None where the organization has no such product."""
    found = await reader.row(_SQL["detail"], [id, organization])
    return None if found is None else Row(found[0], _revision(*found[1:3]) + _checked(found[3]))

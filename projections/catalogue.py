"""The catalogue's read model: `product_list`, one row a product with its finished document, and its counters."""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from domain.errors import NotFound, StaleWrite
from domain.event import Change, Projected, Step
from domain.product.product import Product
from domain.words import vector
from projections.base import Reader, queries
from projections.documents import product_document

_SQL = queries("catalogue")
TAG_SEPARATOR = "\x1f"

COLUMNS = (
    "id",
    "organization",
    "revision",
    "type",
    "title_key",
    "artist_key",
    "created",
    "updated",
    "price",
    "tags",
    "search",
    "document",
)


class Row(NamedTuple):
    """One product's answer: `document` is JSON text with its holes, `revision` the count of its events."""

    document: str
    revision: int


def product_row(product: Product) -> tuple[Any, ...]:
    """Return the values of COLUMNS. The one place that says what a product looks like in the table."""
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
        product_document(product),
    )


_ARGUMENTS = ", ".join(["%b"] * len(COLUMNS))
_PUT_ONE, _PUT_MANY = f"put_product({_ARGUMENTS})", f"put_products({_ARGUMENTS})"


class CatalogueProjection:
    """Keeps `product_list` and `catalogue` in the append transaction."""

    def project(self, changes: Sequence[Change]) -> Projected:
        mine = [c for c in changes if isinstance(c.after or c.before, Product)]
        products = [c for c in mine if c.events]
        documents = {c.id: product_document(c.after) for c in mine if not c.events}
        if not products:
            return Projected((), documents)
        # Sorted, so that two writers that touch the same rows take them in the same order.
        products.sort(key=attrgetter("id"))
        rows = [product_row(c.after) for c in products if c.after is not None]
        documents.update((row[0], row[-1]) for row in rows)
        steps = [Step("drop_product(%b)", (c.id,)) for c in products if c.after is None]
        if len(rows) == 1:
            steps.append(Step(_PUT_ONE, rows[0]))
        elif rows:
            steps.append(Step(_PUT_MANY, [list(column) for column in zip(*rows, strict=True)]))
        growth: Counter[UUID] = Counter()
        for change in products:
            organization = (change.after or change.before).organization
            growth[organization] += (change.after is not None) - (change.before is not None)
        steps.extend(Step("advance_catalogue(%b, %b::bigint)", item) for item in sorted(growth.items()))
        return Projected(steps, documents)


def expect(id: UUID, accepts: Callable[[int], bool]) -> Callable[[Cursor[Any]], None]:
    """Return a guard that lets a write go on only while `accepts` holds for the product's revision.

    It raises StaleWrite where it does not, NotFound where there is no such product, and holds the row until the
    transaction ends, so that of many writers on one revision exactly one passes.
    """

    def guard(cursor: Cursor[Any]) -> None:
        found = cursor.execute(_SQL["revision"], [id], prepare=True).fetchone()
        if found is None:
            raise NotFound
        if not accepts(found["revision"]):
            raise StaleWrite

    return guard


async def detail(reader: Reader, organization: UUID, id: UUID) -> Row | None:
    """Return one product; None where the organization has no such product."""
    found = await reader.row(_SQL["detail"], [id, organization])
    return None if found is None else Row(*found)

"""One page of products: filters and orders over the organization's rows."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from msgspec import Struct

from domain.words import query
from projections.base import Reader
from projections.inventory import STATUS_RANK
from projections.keyset import Place, Walked, walked
from projections.pages import (
    AMOUNT,
    NUMBER,
    TEXT,
    TIME,
    WORDS_ALONE,
    Asked,
    Order,
    Page,
    count,
    forwards,
    nulls_last,
    page_of,
)

ORDERS: dict[str, Order] = {
    "title": forwards("title_key", TEXT),
    "-title": nulls_last("title_key", TEXT),
    "created": forwards("created", TIME),
    "-created": forwards("created DESC", TIME),
    "updated": forwards("updated", TIME),
    "-updated": forwards("updated DESC", TIME),
    "artist__name": forwards("artist_key", TEXT),
    "-artist__name": nulls_last("artist_key", TEXT),
    "listed_first": Order("listed DESC", bool, (("listed", ""), ("NOT listed", ""))),
    "unlisted_first": Order("listed", bool, (("NOT listed", ""), ("listed", ""))),
    "price_high_low": nulls_last("price", AMOUNT),
    "price_low_high": forwards("price", AMOUNT),
    "most_inventory": forwards("total_count DESC", NUMBER),
    # Most have none or a few: those share a place, in the order of their ids, which no index read backwards gives.
    "least_inventory": Order(
        "total_count",
        NUMBER,
        (*((f"total_count = {count}", "") for count in range(3)), ("total_count > 2", "total_count")),
    ),
}
DEFAULT_ORDER = "-created"
BATCH_ROWS = 100
_SHORT_TAGS = ("octet_length(tags) <= 1000", "octet_length(tags) > 1000")
_DOCUMENT = "(SELECT document FROM product_document AS d WHERE d.id = p.id)"


class ProductQuery(Struct, frozen=True, kw_only=True):
    """What a list asks for. None and () ask nothing. `tags` are trimmed and non-empty; `page` is None for the last.
    A walk goes by places, `after` one of them or from the start, and has no pages."""

    search: str | None = None
    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    has_inventory: bool | None = None
    has_available_inventory: bool | None = None
    uploadable_to_redbubble: bool | None = None
    ordering: tuple[str, ...] = (DEFAULT_ORDER,)
    page: int | None = 1
    is_walk: bool = False
    after: Place | None = None
    page_size: int = 15

    @property
    def filtered(self) -> bool:
        """Say whether any filter is set: without one the organization's own count serves."""
        return bool(self.search or self.types or self.tags or self.statuses) or not (
            self.has_inventory is self.has_available_inventory is self.uploadable_to_redbubble is None
        )


def _like(text: str) -> str:
    escaped = text.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def rows_asked(organization: UUID, asked: ProductQuery) -> Asked:
    """Return what the filters and orders come to; pages have no part in it."""
    rows = Asked("product_list", organization, [], [], [ORDERS[name] for name in asked.ordering])
    if asked.search and (words := query(organization, asked.search)) is not None:
        rows = rows._replace(whose=WORDS_ALONE)
        rows.narrow("search @@ %s::text::tsquery", words)
    if asked.types:
        rows.narrow("type = ANY(%b)", list(asked.types))
    if asked.tags:
        rows.narrow("tags LIKE ANY(%b)", [_like(tag) for tag in asked.tags])
    if asked.statuses:
        rows.narrow(
            "total_count > 0 AND statuses & %b::integer <> 0", sum(1 << STATUS_RANK[name] for name in asked.statuses)
        )
    if asked.has_inventory is not None:
        rows.narrow("total_count > 0" if asked.has_inventory else "total_count = 0")
    if asked.has_available_inventory is not None:
        rows.narrow(
            "total_count > 0 AND available_count > 0" if asked.has_available_inventory else "available_count = 0"
        )
    if asked.uploadable_to_redbubble is not None:
        rows.narrow("redbubble" if asked.uploadable_to_redbubble else "NOT redbubble")
    # Words lead to few rows or to many, tags to none: those are looked at in their index, with what it has besides.
    return rows._replace(halves=_SHORT_TAGS) if asked.tags and not asked.search else rows


async def _counted(
    reader: Reader, organization: UUID, asked: ProductQuery, product_count: int, revision: int | None
) -> tuple[Asked, int, float]:
    """Return the rows asked for, how many they are, and page_of's `sort_below`."""
    rows = rows_asked(organization, asked)
    total = await count(reader, rows, revision) if asked.filtered else product_count
    # Words are found by an index, other filters by looking at every product; each of these costs about half a product
    # met along an index, and a fifth of that where it is in an index itself.
    looked_at = total if asked.search else total + product_count / 5 if rows.halves else product_count
    return rows, total, 2 * product_count / looked_at if asked.filtered and looked_at else 0


async def page(
    reader: Reader, organization: UUID, asked: ProductQuery, product_count: int, revision: int | None = None
) -> Page:
    """Return one page and the exact count of all that match. `product_count` is the organization's own count, read
    with its revision; it serves where nothing is filtered. What is filtered is counted once a `revision`, if given.
    """
    rows, total, sort_below = await _counted(reader, organization, asked, product_count, revision)
    return await page_of(
        reader, rows, _DOCUMENT, total=total, page=asked.page, size=asked.page_size, sort_below=sort_below
    )


async def walk(
    reader: Reader, organization: UUID, asked: ProductQuery, product_count: int, revision: int | None = None
) -> Walked:
    """Return the products that follow the place asked for, with the count as in `page`."""
    rows, total, sort_below = await _counted(reader, organization, asked, product_count, revision)
    return await walked(
        reader, rows, _DOCUMENT, total=total, after=asked.after, size=asked.page_size, sort_below=sort_below
    )


async def batches(
    reader: Reader, organization: UUID, asked: ProductQuery, product_count: int, revision: int | None = None
) -> AsyncIterator[Sequence[str]]:
    """Yield the documents of all products that match, in order: at least one batch, which may be empty.

    Each batch is read when it is wanted, after the place where the one before it ended; nothing is held in between.
    """
    rows, total, sort_below = await _counted(reader, organization, asked, product_count, revision)
    after = None
    while True:
        step = await walked(reader, rows, _DOCUMENT, total=total, after=after, size=BATCH_ROWS, sort_below=sort_below)
        yield step.results
        if step.following is None:
            return
        after = step.following

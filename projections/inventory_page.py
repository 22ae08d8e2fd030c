"""One page of inventory items: filters and orders over the organization's rows."""

from uuid import UUID

from msgspec import Struct

from domain.words import query
from projections.base import Reader, queries
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

_SQL = queries("inventory")

ORDERS: dict[str, Order] = {
    "created": forwards("created", TIME),
    "-created": forwards("created DESC", TIME),
    "updated": forwards("updated", TIME),
    "-updated": forwards("updated DESC", TIME),
    "title": forwards("title_key", TEXT),
    "-title": forwards("title_key DESC", TEXT),
    "name": forwards("title_key", TEXT),
    "-name": forwards("title_key DESC", TEXT),
    "price_total_usd": forwards("price", AMOUNT),
    "-price_total_usd": nulls_last("price", AMOUNT),
    "status": forwards("status", NUMBER),
    "-status": Order(
        "status DESC", NUMBER, tuple((f"status = {rank}", "") for rank in sorted(STATUS_RANK.values(), reverse=True))
    ),
    "condition_item": forwards("condition", NUMBER),
    "-condition_item": nulls_last("condition", NUMBER),
    "manual_sku": forwards("sku_key", TEXT),
    "-manual_sku": nulls_last("sku_key", TEXT),
    "days_in_inventory": forwards("created DESC", TIME),
    "-days_in_inventory": forwards("created", TIME),
}
DEFAULT_ORDER = "-created"
_DOCUMENT = f"({_SQL['document'].decode()} WHERE i.id = p.id)"


class InventoryQuery(Struct, frozen=True, kw_only=True):
    """What a list asks for. None and () ask nothing; `page` is None for the last. A walk goes by
    places, `after` one of them or from the start, and has no pages."""

    search: str | None = None
    statuses: tuple[str, ...] = ()
    product: UUID | None = None
    ordering: tuple[str, ...] = (DEFAULT_ORDER,)
    page: int | None = 1
    is_walk: bool = False
    after: Place | None = None
    page_size: int = 10

    @property
    def filtered(self) -> bool:
        return bool(self.search or self.statuses) or self.product is not None


def rows_asked(organization: UUID, asked: InventoryQuery) -> Asked:
    """Return what the filters and orders come to; pages have no part in it."""
    rows = Asked("inventory_list", organization, [], [], [ORDERS[name] for name in asked.ordering])
    if asked.search and (words := query(organization, asked.search)) is not None:
        rows = rows._replace(whose=WORDS_ALONE)
        rows.narrow("search @@ %s::text::tsquery", words)
    if asked.statuses:
        rows.narrow("status = ANY(%b::smallint[])", [STATUS_RANK[name] for name in asked.statuses])
    if asked.product is not None:
        rows.narrow("product = %b", asked.product)
    return rows


async def _counted(
    reader: Reader, organization: UUID, asked: InventoryQuery, revision: int | None
) -> tuple[Asked, int, float]:
    """Return the rows asked for, how many they are, and page_of's `sort_below`."""
    rows = rows_asked(organization, asked)
    [item_count] = await reader.shared(_SQL["count"], [organization]) or (0,)
    total = await count(reader, rows, revision) if asked.filtered else item_count
    # Every filter has an index.
    return rows, total, 2 * item_count / total if asked.filtered and total else 0


async def page(reader: Reader, organization: UUID, asked: InventoryQuery, revision: int | None = None) -> Page:
    """Return one page and the exact count of all that match, counted once a `revision`, if given."""
    rows, total, sort_below = await _counted(reader, organization, asked, revision)
    return await page_of(
        reader, rows, _DOCUMENT, total=total, page=asked.page, size=asked.page_size, sort_below=sort_below
    )


async def walk(reader: Reader, organization: UUID, asked: InventoryQuery, revision: int | None = None) -> Walked:
    """Return the items that follow the place asked for, with the count as in `page`."""
    rows, total, sort_below = await _counted(reader, organization, asked, revision)
    return await walked(
        reader, rows, _DOCUMENT, total=total, after=asked.after, size=asked.page_size, sort_below=sort_below
    )

"""One page of products: filters and orders as one statement over the organization's rows."""

from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from domain.words import query
from projections.base import Reader

ORDERS: dict[str, str] = {
    "title": "title_key ASC NULLS LAST",
    "-title": "title_key DESC NULLS LAST",
    "created": "created ASC",
    "-created": "created DESC",
    "updated": "updated ASC",
    "-updated": "updated DESC",
    "artist__name": "artist_key ASC NULLS LAST",
    "-artist__name": "artist_key DESC NULLS LAST",
    "listed_first": "listed DESC",
    "unlisted_first": "listed ASC",
    "price_high_low": "price DESC NULLS LAST",
    "price_low_high": "price ASC NULLS LAST",
    "most_inventory": "total_count DESC",
    "least_inventory": "total_count ASC",
}
DEFAULT_ORDER = "-created"


class ProductQuery(Struct, frozen=True, kw_only=True):
    """What a list asks for. None and () ask nothing. `tags` are trimmed and non-empty; `page` is None for the last."""

    search: str | None = None
    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    has_inventory: bool | None = None
    has_available_inventory: bool | None = None
    uploadable_to_redbubble: bool | None = None
    ordering: tuple[str, ...] = (DEFAULT_ORDER,)
    page: int | None = 1
    page_size: int = 15

    @property
    def filtered(self) -> bool:
        """Say whether any filter is set: without one the organization's own count serves."""
        return bool(self.search or self.types or self.tags or self.statuses) or not (
            self.has_inventory is self.has_available_inventory is self.uploadable_to_redbubble is None
        )


class Page(NamedTuple):
    """One page of a list.

    `results` is the inside of a JSON array with holes; `total` is the exact count over all pages; `number` is 1-based.
    `exists` is false for a page past the last one (page 1 always exists).
    """

    total: int
    number: int
    results: str
    exists: bool


def _like(text: str) -> str:
    escaped = text.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _where(organization: UUID, asked: ProductQuery) -> tuple[str, list[Any]]:
    terms, values = ["organization = %b"], [organization]

    def term(sql: str, *parameters: Any) -> None:
        terms.append(sql)
        values.extend(parameters)

    if asked.search and (words := query(organization, asked.search)) is not None:
        term("search @@ %s::text::tsquery", words)
    if asked.types:
        term("type = ANY(%b)", list(asked.types))
    if asked.tags:
        term("tags LIKE ANY(%b)", [_like(tag) for tag in asked.tags])
    if asked.statuses:
        term("statuses && %b::text[]", list(asked.statuses))
    if asked.has_inventory is not None:
        term("total_count > 0" if asked.has_inventory else "total_count = 0")
    if asked.has_available_inventory is not None:
        term("available_count > 0" if asked.has_available_inventory else "available_count = 0")
    if asked.uploadable_to_redbubble is not None:
        term("redbubble" if asked.uploadable_to_redbubble else "NOT redbubble")
    return " AND ".join(terms), values


async def page(reader: Reader, organization: UUID, asked: ProductQuery, product_count: int) -> Page:
    """Return one page and the exact count of all that match. `product_count` is the organization's own count, read
    with its revision; it serves where nothing is filtered.
    """
    where, values = _where(organization, asked)
    count = product_count
    if asked.filtered:
        statement = f"SELECT count(*) FROM product_list WHERE {where}"
        found = await reader.shared(statement.encode(), values)
        count = found[0] if found else 0
    last = max(1, -(-count // asked.page_size))
    number = last if asked.page is None else asked.page
    if number > last:
        return Page(count, number, "", exists=False)
    orders = ", ".join([*(ORDERS[name] for name in asked.ordering), "id"])
    # ARRAY keeps the order of its rows; string_agg over a subquery does not promise it.
    statement = (
        "SELECT array_to_string(ARRAY(SELECT document FROM product_list"
        f" WHERE {where} ORDER BY {orders} LIMIT %b OFFSET %b), ',')"
    )
    found = await reader.shared(statement.encode(), [*values, asked.page_size, (number - 1) * asked.page_size])
    return Page(count, number, (found[0] if found else None) or "", exists=True)

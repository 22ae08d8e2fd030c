"""Pages of short lists: a count and an offset, for what an organization has dozens of."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from projections.base import Reader


class NumberedPage(NamedTuple):
    """`results` is the inside of a JSON array with holes; `total` is exact; `number` is 1-based."""

    total: int
    number: int
    results: str


async def numbered_page(
    reader: Reader, sql: Mapping[str, bytes], organization: UUID, number: int | None, size: int
) -> NumberedPage | None:
    """Return a page of documents by the queries `count` and `page` of `sql`; `number` None is the last page. None past
    the end (page 1 always is)."""
    [count] = await reader.row(sql["count"], [organization]) or (0,)
    last = max(1, -(-count // size))
    number = last if number is None else number
    if not 1 <= number <= last:
        return None
    rows = await reader.rows(sql["page"], [organization, size, (number - 1) * size])
    return NumberedPage(count, number, ",".join(row[0] for row in rows))

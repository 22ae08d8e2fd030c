"""Pages of lists: which rows, in which order, and how the database gets to them.

An index holds an organization's rows in the order of one key and of ids within it. Read forwards it gives that order,
with nulls last. Read backwards it would give nulls first and ids the wrong way round, so a descending order is read in
parts, one after the other. Documents are fetched for the rows of the page alone, however deep it lies.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from projections.base import Reader


class Page(NamedTuple):
    """One page of a list.

    `results` is the inside of a JSON array with holes; `total` is the exact count over all pages; `number` is 1-based.
    `exists` is false for a page past the last one (page 1 always exists).
    """

    total: int
    number: int
    results: str
    exists: bool


class Order(NamedTuple):
    """`terms` sort any rows. `parts` are how an index gives them: what each part's rows have in common, and the terms
    that sort them, before their ids do.
    """

    terms: str
    parts: Sequence[tuple[str, str]]


def forwards(terms: str) -> Order:
    """Return the order in which an index is read from its start, or one that few rows share a place in."""
    return Order(terms, (("", terms),))


def nulls_last(column: str) -> Order:
    """Return the descending order by a key that may be null."""
    terms = f"{column} DESC"
    return Order(f"{terms} NULLS LAST", ((f"{column} IS NOT NULL", terms), (f"{column} IS NULL", "")))


class Asked(NamedTuple):
    """The rows that a list asks for: a condition with its values, and how they are sorted."""

    table: str
    where: str
    values: Sequence[Any]
    orders: Sequence[Order]

    @property
    def terms(self) -> str:
        return ", ".join([*(order.terms for order in self.orders), "id"])


def _along_index(asked: Asked) -> tuple[str, list[Any]]:
    """Return the ids of all rows in their order, read along an index."""
    first, *others = asked.orders
    following = [order.terms for order in others]
    parts = []
    for condition, terms in first.parts:
        where = f"{asked.where} AND {condition}" if condition else asked.where
        sorting = ", ".join([*filter(None, [terms]), *following, "id"])
        parts.append(f"(SELECT id FROM {asked.table} WHERE {where} ORDER BY {sorting})")
    # The parts follow each other: nothing runs side by side in a reader's connection.
    return " UNION ALL ".join(parts), [*asked.values] * len(parts)


def _sorted(asked: Asked) -> tuple[str, list[Any]]:
    """Return the ids of all rows in their order, found first and then sorted."""
    # OFFSET 0 keeps the planner from looking for them along an index that has the order.
    found = f"(SELECT * FROM {asked.table} WHERE {asked.where} OFFSET 0) AS found"
    return f"SELECT id FROM {found} ORDER BY {asked.terms}", [*asked.values]


def number_of(page: int | None, size: int, count: int) -> tuple[int, bool]:
    """Return the 1-based number of the page asked for (None: the last), and whether it exists."""
    last = max(1, -(-count // size))
    number = last if page is None else page
    return number, number <= last


async def results(reader: Reader, asked: Asked, document: str, *, size: int, offset: int, sort: bool) -> str:
    """Return the documents of a page, joined. `document` is an expression of a row's id, as p.id.

    `sort` says that finding all the rows and sorting them costs less than reading along an index for these.
    """
    ids, values = (_sorted if sort else _along_index)(asked)
    page = f"({ids}) AS p LIMIT {size} OFFSET {offset}"
    # ARRAY keeps the order of its rows; string_agg over a subquery does not promise it. Numbers are part of the text,
    # or the plan that is kept would be for a page of unknown size.
    statement = f"SELECT array_to_string(ARRAY(SELECT {document} FROM (SELECT id FROM {page}) AS p), ',')"
    found = await reader.shared(statement.encode(), values, keep=offset == 0)
    return (found[0] if found else None) or ""

"""Pages of lists: which rows, in which order, and how the database gets to them.

An index holds an organization's rows in the order of one key and of ids within it. Read forwards it gives that order,
with nulls last. Read backwards it would give nulls first and ids the wrong way round, so a descending order is read in
parts, one after the other. Documents are fetched for the rows of the page alone, however deep it lies.
"""

from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from msgspec import Meta

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


# What a column holds, as Python and msgspec know it: no value of another kind gets into a query.
TEXT = Annotated[str, Meta(pattern=r"^[^\0]*$", max_length=4000)]
TIME = Annotated[datetime, Meta(tz=True)]
AMOUNT = Annotated[str, Meta(pattern=r"^[0-9]{1,10}\.[0-9]{2}$")]
NUMBER = Annotated[int, Meta(ge=0, lt=2**31)]


class Order(NamedTuple):
    """`terms` sort any rows, by one column of this `kind`. `parts` are how an index gives them: what each part's rows
    have in common, and the terms that sort them, before their ids do.
    """

    terms: str
    kind: Any
    parts: Sequence[tuple[str, str]]

    @property
    def column(self) -> str:
        return self.terms.partition(" ")[0]

    @property
    def descends(self) -> bool:
        return " DESC" in self.terms


def forwards(terms: str, kind: Any) -> Order:
    """Return the order in which an index is read from its start, or one that few rows share a place in."""
    return Order(terms, kind, (("", terms),))


def nulls_last(column: str, kind: Any) -> Order:
    """Return the descending order by a key that may be null."""
    terms = f"{column} DESC"
    return Order(f"{terms} NULLS LAST", kind, ((f"{column} IS NOT NULL", terms), (f"{column} IS NULL", "")))


class Asked(NamedTuple):
    """The rows of an organization that a list asks for: conditions with their values, and how the rows are sorted.

    Where an index alone says which rows meet them, `halves` are conditions of which every row meets exactly one: an
    index holds what meets the first, another what meets the second.
    """

    table: str
    organization: UUID
    filters: list[str]
    values: list[Any]
    orders: Sequence[Order]
    halves: Sequence[str] = ()
    whose: str = "organization = %b"

    def narrow(self, condition: str, *values: Any) -> None:
        """Ask for those alone that meet the condition too."""
        self.filters.append(condition)
        self.values.extend(values)

    @property
    def where(self) -> str:
        return " AND ".join([self.whose, *self.filters])

    def selects(self, columns: str) -> tuple[list[str], list[Any]]:
        """Return what finds all rows, in one statement or in one for each half, and the values of them all."""
        select = f"SELECT {columns} FROM {self.table} WHERE {self.where}"
        parts = [f"{select} AND {half}" for half in self.halves] or [select]
        return parts, [self.organization, *self.values] * len(parts)

    @property
    def question(self) -> Hashable:
        """Return what tells these rows from all others, whatever their order."""
        values = (tuple(value) if isinstance(value, list) else value for value in self.values)
        return (self.table, self.organization, *self.filters, *values)


WORDS_ALONE = "organization IS NOT DISTINCT FROM %b"
"""For rows that words lead to. A word holds most of the organization's id, so that next to none are another's; what an
index could be asked, all of the organization's rows would be fetched for, to be compared with those."""


class Part(NamedTuple):
    """Rows that an index gives in order: what they have in common, the values in that, the terms that sort them."""

    condition: str
    values: Sequence[Any]
    terms: str


def _backwards(term: str) -> str:
    """Return what sorts the other way round, nulls and all."""
    column, _, rest = term.partition(" ")
    direction = "" if "DESC" in rest else " DESC"
    return column + direction + (" NULLS FIRST" if "NULLS LAST" in rest else "")


def along_index(asked: Asked, columns: str, parts: Iterable[Part], *, backwards: bool = False) -> tuple[str, list[Any]]:
    """Return `columns` of the rows of all parts in their order, or from the last one to the first, read along an
    index."""
    _, *others = asked.orders
    selects: list[str] = []
    values: list[Any] = []
    for condition, bounds, terms in reversed([*parts]) if backwards else parts:
        rows = f"SELECT * FROM {asked.table} WHERE organization = %b" + (f" AND {condition}" if condition else "")
        sorts = [*filter(None, [terms]), *(order.terms for order in others), "id"]
        sorting = ", ".join(map(_backwards, sorts) if backwards else sorts)
        # OFFSET 0 keeps the planner from using the filters to find the rows: it may have no idea how many they are.
        filters = f" OFFSET 0) AS rows WHERE {' AND '.join(asked.filters)}" if asked.filters else ") AS rows"
        selects.append(f"SELECT {columns} FROM ({rows} ORDER BY {sorting}{filters}")
        values += [asked.organization, *bounds, *asked.values]
    # The parts follow each other: nothing runs side by side in a reader's connection.
    return " UNION ALL ".join(selects), values


def found_first(asked: Asked, columns: str) -> tuple[str, list[Any]]:
    """Return `columns` of all rows in their order, found first and then sorted."""
    terms = ", ".join([*(order.terms for order in asked.orders), "id"])
    if asked.halves:
        selects, values = asked.selects("id")
        rows = f"SELECT * FROM {asked.table} WHERE id = ANY(ARRAY({' UNION ALL '.join(selects)}))"
    else:
        [rows], values = asked.selects("*")
    # OFFSET 0 keeps the planner from looking for them along an index that has the order.
    return f"SELECT {columns} FROM ({rows} OFFSET 0) AS rows ORDER BY {terms}", values


async def count(reader: Reader, asked: Asked, revision: int | None = None) -> int:
    """Return how many rows there are; where the organization's `revision` is given, a count of that revision serves."""

    async def make() -> int:
        selects, values = asked.selects("count(*)")
        statement = f"SELECT {' + '.join(f'({select})' for select in selects)}"
        [found] = await reader.shared(statement.encode(), values) or (0,)
        return int(found)

    return await make() if revision is None else await reader.counts.count(asked.question, revision, make)


async def page_of(
    reader: Reader, asked: Asked, document: str, *, total: int, page: int | None, size: int, sort_below: float
) -> Page:
    """Return a page of rows, `total` in all; None is the last. `document` is an expression of p.id.

    Rows are read along an index, from the end that is nearer, which passes those that the filters leave out; or, if
    fewer than `sort_below` times as many as the page ends after are asked for, all found and then sorted.
    """
    last = max(1, -(-total // size))
    number = last if page is None else page
    if number > last or not total:
        return Page(total, number, "", exists=number == 1)
    offset = (number - 1) * size
    behind = max(0, total - offset - size)
    is_backwards = behind < offset
    if total < sort_below * (min(offset, behind) + size):
        is_backwards = False
        ids, values = found_first(asked, "id")
    else:
        parts = (Part(condition, (), terms) for condition, terms in asked.orders[0].parts)
        ids, values = along_index(asked, "id", parts, backwards=is_backwards)
    rows = f"SELECT id FROM ({ids}) AS ids LIMIT {size} OFFSET {offset}"
    if is_backwards:
        rows = f"SELECT id FROM ({ids}) AS ids LIMIT {total - behind - offset} OFFSET {behind}"
        rows = f"SELECT id FROM (SELECT id, row_number() OVER () AS place FROM ({rows}) AS r) AS r ORDER BY place DESC"
    # ARRAY keeps the order of its rows; string_agg over a subquery does not promise it. Numbers are part of the text,
    # or the plan that is kept would be one for a page of any size.
    statement = f"SELECT array_to_string(ARRAY(SELECT {document} FROM ({rows}) AS p), ',')"
    [found] = await reader.shared(statement.encode(), values, keep=number == 1) or ("",)
    return Page(total, number, found, exists=True)

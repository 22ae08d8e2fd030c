"""Rows after a place in a list, whatever was written since: the place is a row's keys and id, not its number.

A row that nobody touches is met exactly once by whoever goes from place to place; so is none that came or went twice.
One whose key is changed meanwhile is where it belongs then: behind the place it is met (again), before it it is not.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from projections.base import Reader
from projections.pages import Asked, Order, Part, along_index, found_first


class Place(NamedTuple):
    """Where a row stands, or stood: its values by the list's orders, and its id."""

    values: tuple[Any, ...]
    id: UUID


class Walked(NamedTuple):
    """Some rows of a list. `results` are documents with holes; `total` is the exact count of all rows; `following` is
    the place after which there is more, None at the end."""

    total: int
    results: Sequence[str]
    following: Place | None


async def walked(
    reader: Reader, asked: Asked, document: str, *, total: int, after: Place | None, size: int, sort_below: float
) -> Walked:
    """Return the `size` rows after a place, from the start without one. See page_of, also for `sort_below`."""
    columns = ", ".join(["id", *(f"{order.column} AS key_{n}" for n, order in enumerate(asked.orders))])
    if total < sort_below * size:
        rows, values = found_first(asked if after is None else _behind(asked, after), columns)
    else:
        rows, values = along_index(asked, columns, _parts(asked, after))
    keys = "".join(f", p.key_{n}" for n in range(len(asked.orders)))
    statement = f"SELECT {document}, p.id{keys} FROM (SELECT * FROM ({rows}) AS rows LIMIT {size + 1}) AS p"
    found = await reader.rows(statement.encode(), values)
    shown = found[:size]
    following = None
    if len(found) > size:
        _, id, *last = shown[-1]
        following = Place(tuple(str(value) if isinstance(value, Decimal) else value for value in last), id)
    return Walked(total, [row[0] for row in shown], following)


def _parts(asked: Asked, after: Place | None) -> Iterator[Part]:
    """Yield what is left of an index after the place: the rest of those that share its first key, then the others."""
    first = asked.orders[0]
    if after is None:
        for condition, terms in first.parts:
            yield Part(condition, (), terms)
        return
    column, key = first.column, after.values[0]
    rest, values = _following(asked.orders[1:], after.values[1:], after.id)
    if key is None:
        yield Part(f"{column} IS NULL AND {rest}", values, "")
        return
    yield Part(f"{column} = %s AND {rest}", [key, *values], "")
    # One condition that nulls meet too would have the index read from its start.
    nulls = f"{column} IS NULL"
    for condition, terms in first.parts:
        if condition != nulls:
            beyond = f"{column} {_sign(first)} %s"
            yield Part(f"{condition} AND {beyond}" if condition else beyond, [key], terms)
    yield Part(nulls, (), "")


def _behind(asked: Asked, place: Place) -> Asked:
    condition, values = _following(asked.orders, place.values, place.id)
    return asked._replace(filters=[*asked.filters, condition], values=[*asked.values, *values])


def _following(orders: Sequence[Order], keys: Sequence[Any], id: UUID) -> tuple[str, list[Any]]:
    """Return the condition that a row comes after these keys and this id. Nulls are last, ids ascend."""
    if not orders:
        return "id > %b", [id]
    column, key = orders[0].column, keys[0]
    rest, values = _following(orders[1:], keys[1:], id)
    if key is None:
        return f"({column} IS NULL AND {rest})", values
    condition = f"({column} {_sign(orders[0])} %s OR {column} IS NULL OR ({column} = %s AND {rest}))"
    return condition, [key, key, *values]


def _sign(order: Order) -> str:
    return "<" if order.descends else ">"

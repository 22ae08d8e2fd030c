"""Comparison of the live tables with others of their form, part by part, while both are written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from domain.errors import DeadwaxError
from projections.base import queries
from projections.rebuild.filling import Told
from projections.rebuild.progress import Aside
from projections.rebuild.projection import Bounds, Projection, Table
from projections.rebuild.schema import LIVE

_SQL = queries("rebuild_compare")
COMPARING = "Comparing"
NAMED = 10
"""So many ids of a table that differ are named; all are counted."""


class Compared(NamedTuple):
    """What a live table came to: the exclusive or of its rows' hashes, and which rows the log tells otherwise."""

    rows: int
    hash: str
    differing: int
    first_ids: Sequence[str]


class Verified(NamedTuple):
    """The tables by name, and what could not be folded and so not be compared."""

    name: str
    tables: Mapping[str, Compared]
    aside: Sequence[Aside] = ()

    @property
    def is_same(self) -> bool:
        return not self.differing and not self.aside

    @property
    def differing(self) -> int:
        return sum(table.differing for table in self.tables.values())

    def said(self) -> str:
        """Return in one line what differs."""
        parts = [
            f"{table} {found.differing:,} ({', '.join(found.first_ids)}{' …' if found.differing > NAMED else ''})"
            for table, found in self.tables.items()
            if found.differing
        ]
        return f"{self.name}: rows that the log tells otherwise: {'; '.join(parts)}"


class Differs(DeadwaxError):
    """The live tables are not what the log tells."""

    def __init__(self, verified: Verified, advice: str) -> None:
        super().__init__(f"{verified.said()}. {advice}")
        self.verified = verified


class _Sums:
    def __init__(self) -> None:
        self.rows = self.hash = self.differing = 0
        self.ids: list[str] = []


class Comparison:
    """Compares in one snapshot after the other: `follow` brings the other tables to it within its transaction, so that
    a row which moved meanwhile has moved in both.
    """

    def __init__(
        self, connection: Connection[Any], projection: Projection, schema: str, follow: Callable[[], object]
    ) -> None:
        self._connection = connection
        self._projection = projection
        self._schema = schema
        self._follow = follow

    def run(self, parts: Sequence[Bounds], told: Told) -> dict[str, Compared]:
        sums = {table.name: _Sums() for table in self._projection.tables}
        for number, bounds in enumerate(parts):
            told(COMPARING, number, len(parts))
            self.compare(bounds, sums)
        told(COMPARING, len(parts), len(parts))
        return {
            name: Compared(sum.rows, f"{sum.hash % 2**64:016x}", sum.differing, sum.ids[:NAMED])
            for name, sum in sums.items()
        }

    def compare(self, bounds: Bounds, sums: Mapping[str, _Sums]) -> None:
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self._follow()
            for table in self._projection.tables:
                self._table(table, bounds, sums[table.name])

    def _table(self, table: Table, bounds: Bounds, sum: _Sums) -> None:
        values = {"first": bounds[0], "last": bounds[1], "limit": NAMED}
        row = self._ask("sums", table, values)[0]
        sum.rows += row[0]
        sum.hash ^= row[1]
        if row[:2] != row[2:]:
            found = self._ask("differing", table, values)
            sum.differing += found[0][1] if found else 0
            sum.ids.extend(id for id, _ in found)

    def _ask(self, name: str, table: Table, values: Mapping[str, Any]) -> list[Any]:
        type = self._connection.execute(_SQL["type"], [f"{LIVE}.{table.name}", table.key]).fetchone()
        assert type is not None
        statement = SQL(_SQL[name].decode()).format(
            live=Identifier(LIVE, table.name),
            made=Identifier(self._schema, table.name),
            key=Identifier(table.key),
            type=SQL(type[0]),
        )
        return self._connection.execute(statement, values).fetchall()

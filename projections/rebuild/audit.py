"""The log's index from the log: `audit_event`, which a trigger fills as events are appended."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from projections.base import queries
from projections.rebuild.projection import Bounds, Filled, Table, between
from projections.rebuild.source import Source

_SQL = queries("rebuild_audit")
_NEWEST = 2**62


class AuditTables:
    """Each event is a row, whatever it tells: none of them can be one that is not folded."""

    name: ClassVar[str] = "audit"
    units: ClassVar[str] = "entries"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[Table]] = (Table("audit_event", "position"),)
    is_behind_log: ClassVar[bool] = True

    def prepare(self, connection: Connection[Any], _until: int, are_new: bool) -> None:
        if are_new:
            connection.execute(_SQL["index_positions"])

    def cut(self, connection: Connection[Any], count: int) -> list[Bounds]:
        return between([str(row[0]) for row in connection.execute(_SQL["edges"], {"count": count})])

    def fill(self, source: Source, writer: Connection[Any], bounds: Bounds, _aside: Collection[UUID]) -> Filled:
        first, last = bounds
        # Up to where the other processes read it: what came later is followed.
        newest = next(iter(list(source.stream(_SQL["newest"], {}))))[0]
        until = min(newest, _NEWEST if last is None else int(last) - 1)
        made = self._make(writer, 0 if first is None else int(first) - 1, until)
        return Filled(made, made)

    def moved(self, _connection: Connection[Any], _after: int, _until: int) -> list[UUID]:
        return []

    def follow(
        self, connection: Connection[Any], _moved: Sequence[UUID], after: int, until: int, _aside: Collection[UUID]
    ) -> None:
        if until > after:
            self._make(connection, after, until)

    def adopt(self, connection: Connection[Any], since: datetime | None, moved: Sequence[UUID] | None) -> None:
        pass

    def object_of(self, _connection: Connection[Any], stream: UUID) -> UUID:
        return stream

    def take_over(self, _connection: Connection[Any], _objects: Sequence[UUID]) -> None:
        raise AssertionError("every event is told")

    def _make(self, connection: Connection[Any], after: int, until: int) -> int:
        row = connection.execute("SELECT rebuild_audit(%s, %s)", [after, max(after, until)]).fetchone()
        assert row is not None
        return int(row[0])

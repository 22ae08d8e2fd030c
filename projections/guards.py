"""Guards: what lets a write go on only while a row is as its client knows it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import Cursor

from domain.errors import NotFound, StaleWrite

Guard = Callable[[Cursor[Any]], None]


def guarded(statements: Sequence[bytes], id: UUID, accepts: Callable[[Mapping[str, Any]], bool]) -> Guard:
    """Return a guard that runs the statements, each with `id`, and passes the last one's row to `accepts`.

    It raises StaleWrite where that says no, NotFound where one of them finds no row. The first statement holds a row
    until the transaction ends: what a later one reads is read after others that held it are done.
    """

    def guard(cursor: Cursor[Any]) -> None:
        row = None
        for statement in statements:
            row = cursor.execute(statement, [id], prepare=True).fetchone()
            if row is None:
                raise NotFound
        if row is None or not accepts(row):
            raise StaleWrite

    return guard

"""How workers reach the database beside the log: one connection, for one thread."""

from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from domain.errors import Unavailable
from projections.base import KEEPALIVES

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 10


_UNREACHABLE = (psycopg.OperationalError, psycopg.InterfaceError)


class WorkerConnection:
    """It is made with its first use, and anew after a failure.

    Every method of those that inherit it raises Unavailable where the database does not answer.
    """

    LISTENS_TO: ClassVar[str | None] = None

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: Connection[TupleRow] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def wait(self, seconds: float) -> bool:
        """Return True when it was told something, False after so many seconds."""
        try:
            return any(True for _ in self._connected().notifies(timeout=seconds, stop_after=1))
        except _UNREACHABLE as error:
            self.close()
            raise Unavailable from error

    def rows(self, statement: bytes, parameters: dict[str, object]) -> Sequence[TupleRow]:
        """Run a statement. None of a worker's minds being run twice, so one that an old connection dies of is tried
        again on a new one.
        """
        is_old = self._connection is not None
        try:
            return self._rows(statement, parameters)
        except _UNREACHABLE as error:
            is_dead = self._connection is None or self._connection.broken
            self.close()
            if not (is_old and is_dead):
                raise Unavailable from error
        try:
            return self._rows(statement, parameters)
        except _UNREACHABLE as error:
            self.close()
            raise Unavailable from error

    def _rows(self, statement: bytes, parameters: dict[str, object]) -> Sequence[TupleRow]:
        return self._connected().execute(statement, parameters).fetchall()

    def _connected(self) -> Connection[TupleRow]:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                application_name="deadwax worker",
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s",
                **KEEPALIVES,
            )
            if self.LISTENS_TO is not None:
                self._connection.execute(f"LISTEN {self.LISTENS_TO}".encode())
        return self._connection

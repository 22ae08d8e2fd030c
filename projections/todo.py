"""The work that the log owes, and who has it on lease."""

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from domain.errors import Unavailable
from projections.base import KEEPALIVES, queries

_SQL = queries("todo")
CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 10


class Leased(NamedTuple):
    """One piece of work, given to the holder of `token` until the lease runs out."""

    subject: UUID
    organization: UUID
    kind: str
    token: UUID


class Todo:
    """One connection to the to-do list, for one thread. It is made anew after a failure.

    Every method raises Unavailable where the database does not answer.
    """

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

    def wait(self, seconds: float) -> None:
        """Return when new work was written, or after so many seconds."""
        try:
            for _ in self._connected().notifies(timeout=seconds, stop_after=1):
                return
        except psycopg.Error as error:
            self.close()
            raise Unavailable from error

    def lease(self, limit: int, seconds: float) -> list[Leased]:
        """Take up to `limit` pieces of work that are due and that nobody has."""
        return [Leased(*row) for row in self._rows("lease", {"limit": limit, "seconds": seconds})]

    def renew(self, subject: UUID, token: UUID, seconds: float) -> bool:
        """Prolong a lease, also one that ran out and that nobody took; False where it is another's or no more."""
        return bool(self._rows("renew", {"subject": subject, "token": token, "seconds": seconds}))

    def release(self, subject: UUID, token: UUID, after_seconds: float = 0.0) -> None:
        """Give a lease back; what is still owed then is due again after so many seconds."""
        self._rows("release", {"subject": subject, "token": token, "seconds": after_seconds})

    def sweep(self) -> None:
        """Forget the leases of work that is no longer owed."""
        self._rows("sweep", {})

    def _rows(self, name: str, parameters: dict[str, object]) -> Sequence[TupleRow]:
        try:
            return self._connected().execute(_SQL[name], parameters).fetchall()
        except psycopg.Error as error:
            self.close()
            raise Unavailable from error

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
            self._connection.execute("LISTEN todo")
        return self._connection

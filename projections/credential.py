"""What opens accounts on marketplaces, as workers get at it: sealed, and by one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from domain.errors import Unavailable
from projections.base import queries
from projections.worker import WorkerConnection

_SQL = queries("credential")


class Held:
    """A connection's credential that nobody else reads or writes meanwhile; None where there is none."""

    def __init__(self, credentials: "Credentials", connection: UUID, sealed: bytes | None) -> None:
        self._credentials = credentials
        self._connection = connection
        self.sealed = sealed

    def replace(self, sealed: bytes) -> None:
        self._credentials.rows(_SQL["replace"], {"connection": self._connection, "sealed": sealed})
        self.sealed = sealed


class Credentials(WorkerConnection):
    @contextmanager
    def held(self, connection: UUID) -> Iterator[Held]:
        """Hold the credential while the block runs, across processes: whoever else wants it waits. What is put in its
        place is kept where the block ends well. Raises Unavailable.
        """
        try:
            with self._connected().transaction():
                rows = self.rows(_SQL["locked"], {"connection": connection})
                yield Held(self, connection, bytes(rows[0][0]) if rows else None)
        except psycopg.Error as error:
            self.close()
            raise Unavailable from error

    def connections(self) -> list[UUID]:
        """Return the connections that there is a credential of."""
        return [row[0] for row in self.rows(_SQL["all"], {})]

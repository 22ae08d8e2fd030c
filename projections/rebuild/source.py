"""The log as of one moment, for several processes."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection, sql

STREAM_ROWS = 2000


class Source:
    """Reads in an exported snapshot. What is streamed at the same time has connections of its own."""

    def __init__(self, database_url: str, snapshot: str, schema: str) -> None:
        self._url = database_url
        self._snapshot = snapshot
        self._schema = schema
        self._readers: dict[int, Connection[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what is under way."""
        while self._readers:
            self._readers.popitem()[1].close()

    def stream(self, statement: bytes, values: Mapping[str, Any], reader: int = 0) -> Iterator[Any]:
        """Yield rows with values in binary form. What was streamed before through this reader has to be at its end."""
        if reader not in self._readers:
            self._readers[reader] = self._connect()
        return self._readers[reader].cursor().stream(statement, values, binary=True, size=STREAM_ROWS)

    def _connect(self) -> Connection[Any]:
        connection = psycopg.connect(self._url, application_name="deadwax rebuild")
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(self._snapshot))
        path = sql.SQL("SET LOCAL search_path = {}, public")
        connection.execute(path.format(sql.Identifier(self._schema)))
        # In the order of the index a log of any length is read without being sorted first.
        connection.execute("SET LOCAL enable_sort = off")
        return connection

"""What projections share: the pool that reads go through, and the loader of named queries."""

import re
from collections.abc import Sequence
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.errors import Unavailable

ACQUIRE_TIMEOUT_SECONDS = 2.0
STATEMENT_TIMEOUT_SECONDS = 30
_NAMED = re.compile(r"^-- (\w+): .*\n", re.MULTILINE)


def queries(name: str) -> dict[str, bytes]:
    """Return the queries of sql/`name`.sql by name; each starts with `-- name: one sentence`."""
    parts = _NAMED.split(files("projections.sql").joinpath(f"{name}.sql").read_text())
    return {key: body.strip().rstrip(";").encode() for key, body in zip(parts[1::2], parts[2::2], strict=True)}


class Reader:
    """An async pool of autocommitting connections with prepared statements. Opened and closed as a context."""

    def __init__(self, database_url: str, size: int = 8) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            database_url,
            min_size=size,
            max_size=size,
            open=False,
            timeout=ACQUIRE_TIMEOUT_SECONDS,
            kwargs={
                "autocommit": True,
                "row_factory": tuple_row,
                "prepare_threshold": 1,
                "application_name": "deadwax read",
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s -c jit=off",
            },
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pool.close()

    async def rows(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement. Raises Unavailable where the database does not answer."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(statement, parameters)
                return await cursor.fetchall()
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise Unavailable from error

    async def row(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any] = ()) -> tuple[Any, ...] | None:
        """Run one statement and return its first row, None without one."""
        found = await self.rows(statement, parameters)
        return found[0] if found else None

"""How the log's statements reach the database from an event loop: see commands.waiting."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from commands.waiting import in_loop, wait_for

Rows = list[dict[str, Any]]


class LoopLock(AbstractContextManager[None]):
    """A lock between the commands of one loop. Raises TimeoutError where its turn does not come."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._lock = asyncio.Lock()

    def __enter__(self) -> None:
        if self._lock.locked():
            wait_for(asyncio.wait_for(self._lock.acquire(), self._timeout_seconds))
        else:
            wait_for(self._lock.acquire())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()


class LoopCursor:
    """The two calls of a cursor that a guard makes."""

    def __init__(self, cursor: AsyncCursor[DictRow]) -> None:
        self._cursor = cursor

    def execute(self, statement: bytes, values: Sequence[Any], *, prepare: bool | None = None) -> "LoopCursor":
        wait_for(self._cursor.execute(statement, values, prepare=prepare))
        return self

    def fetchone(self) -> dict[str, Any] | None:
        return wait_for(self._cursor.fetchone())


class LoopConnections:
    """As many connections as commands may run at once. Every method but `open` and `close` is for within `in_loop`."""

    def __init__(self, database_url: str, size: int, options: str, timeout_seconds: float) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            database_url,
            min_size=size,
            max_size=size,
            open=False,
            timeout=timeout_seconds,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "options": options,
                "application_name": "deadwax write",
            },
        )

    async def open(self, timeout_seconds: float) -> None:
        """Raises psycopg.OperationalError where the database does not answer in time."""
        await self._pool.open(wait=True, timeout=timeout_seconds)

    async def close(self) -> None:
        await self._pool.close()

    def rows(self, statement: bytes, values: Sequence[Any]) -> Rows:
        return wait_for(self._rows(statement, values))

    async def _rows(self, statement: bytes, values: Sequence[Any]) -> Rows:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, values, prepare=True)
            return await cursor.fetchall()

    def guarded(self, guard: Any, statement: bytes | None, values: Sequence[Any]) -> Rows:
        """Run the guard and then the statement in one transaction."""
        return wait_for(self._guarded(guard, statement, values))

    async def _guarded(self, guard: Any, statement: bytes | None, values: Sequence[Any]) -> Rows:
        async with self._pool.connection() as connection, connection.transaction():
            async with connection.cursor() as cursor:
                await in_loop(lambda: guard(LoopCursor(cursor)))
            if statement is None:
                return []
            done = await connection.execute(statement, values, prepare=True)
            return await done.fetchall()

    def pause(self, seconds: float) -> None:
        wait_for(asyncio.sleep(seconds))

    def lock(self, timeout_seconds: float) -> AbstractContextManager[None]:
        return LoopLock(timeout_seconds)

"""How the log's statements reach the database from an event loop: see commands.waiting."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from commands.waiting import in_loop, wait_for

Rows = list[dict[str, Any]]

RECONNECT_SECONDS = 1.0
"""So long the pool itself tries; later each command that wants a connection does. Its own pauses double to minutes."""
# A connection whose other end is gone is noticed within seconds, not after the system's two hours.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_GOING_DOWN = "57P"


def has_died(error: psycopg.OperationalError) -> bool:
    """Say whether the connection went with its statement, and not the statement alone."""
    if isinstance(error, (PoolTimeout, PoolClosed)):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_GOING_DOWN)


class LoopLock(AbstractContextManager[None]):
    """A lock between the commands of one loop. Raises TimeoutError where its turn does not come."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._lock = asyncio.Lock()

    def __enter__(self) -> None:
        wait_for(self._acquire())

    async def _acquire(self) -> None:
        # Also where it is not held at the moment: those that wait already come first.
        async with asyncio.timeout(self._timeout_seconds):
            await self._lock.acquire()

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
    """As many connections as commands may run at once. Every method but `open` and `close` is for within `in_loop`.

    They come from a pool and stay out of it while they work: to take and return one costs as much as a statement.
    """

    def __init__(self, database_url: str, size: int, options: str, timeout_seconds: float) -> None:
        self._turns = asyncio.Semaphore(size)
        self._idle: list[AsyncConnection[DictRow]] = []
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            database_url,
            min_size=size,
            max_size=size,
            open=False,
            timeout=timeout_seconds,
            reconnect_timeout=RECONNECT_SECONDS,
            kwargs={
                **KEEPALIVES,
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
        await self._return_idle()
        await self._pool.close()

    def rows(self, statement: bytes, values: Sequence[Any]) -> Rows:
        return wait_for(self._rows(statement, values))

    async def _rows(self, statement: bytes, values: Sequence[Any]) -> Rows:
        connection = await self._take()
        try:
            cursor = await connection.execute(statement, values, prepare=True)
            return await cursor.fetchall()
        except psycopg.OperationalError as error:
            await self._replace_dead(error)
            raise
        finally:
            await self._give_back(connection)

    def guarded(self, guard: Any, statement: bytes | None, values: Sequence[Any]) -> Rows:
        """Run the guard and then the statement in one transaction."""
        return wait_for(self._guarded(guard, statement, values))

    async def _guarded(self, guard: Any, statement: bytes | None, values: Sequence[Any]) -> Rows:
        connection = await self._take()
        try:
            async with connection.transaction():
                async with connection.cursor() as cursor:
                    await in_loop(lambda: guard(LoopCursor(cursor)))
                if statement is None:
                    return []
                done = await connection.execute(statement, values, prepare=True)
                return await done.fetchall()
        except psycopg.OperationalError as error:
            await self._replace_dead(error)
            raise
        finally:
            await self._give_back(connection)

    async def _take(self) -> AsyncConnection[DictRow]:
        """Raises PoolTimeout where none comes free."""
        try:
            if self._turns.locked():
                await asyncio.wait_for(self._turns.acquire(), self._pool.timeout)
            else:
                await self._turns.acquire()
        except TimeoutError as error:
            raise PoolTimeout("every connection is at work") from error
        try:
            return self._idle.pop() if self._idle else await self._pool.getconn()
        except BaseException:
            self._turns.release()
            raise

    async def _give_back(self, connection: AsyncConnection[DictRow]) -> None:
        try:
            if connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                # Broken, or left in the middle of its work by a command that was given up.
                await self._pool.putconn(connection)
        finally:
            self._turns.release()

    async def _return_idle(self) -> None:
        while self._idle:
            await self._pool.putconn(self._idle.pop())

    async def _replace_dead(self, error: psycopg.OperationalError) -> None:
        # The server restarted: the other connections are as dead as this one, and each would fail a command.
        if has_died(error):
            await self._return_idle()
            await self._pool.check()

    def pause(self, seconds: float) -> None:
        wait_for(asyncio.sleep(seconds))

    def lock(self, timeout_seconds: float) -> AbstractContextManager[None]:
        return LoopLock(timeout_seconds)

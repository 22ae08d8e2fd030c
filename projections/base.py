"""What projections share: the pool that reads go through, and the loader of named queries."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from domain.errors import Unavailable
from projections.bare import Bare, Rows
from projections.counts import Counts
from projections.flights import Flights

T = TypeVar("T")
ACQUIRE_TIMEOUT_SECONDS = 2.0
STATEMENT_TIMEOUT_SECONDS = 30
LOCK_TIMEOUT_SECONDS = 5
RECONNECT_SECONDS = 1.0
"""So long the pool itself tries; later each read that wants a connection does. Its own pauses double to minutes."""
# A connection whose other end is gone is noticed within seconds, not after the system's two hours.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_NAMED = re.compile(r"^-- (\w+): .*\n", re.MULTILINE)


def queries(name: str) -> dict[str, bytes]:
    """Return the queries of sql/`name`.sql by name; each starts with `-- name: one sentence`."""
    parts = _NAMED.split(files("projections.sql").joinpath(f"{name}.sql").read_text())
    return {key: body.strip().rstrip(";").encode() for key, body in zip(parts[1::2], parts[2::2], strict=True)}


class _Broken(Exception):
    """The connection died under the statement."""


class Reader:
    """Autocommitting connections with prepared statements for async reads. Opened and closed as a context.

    They come from a pool and stay out of it while they work: taking one from the pool and giving it back for every
    statement costs as much as the statement.
    """

    def __init__(self, database_url: str, size: int = 8) -> None:
        self.counts = Counts()
        self._flights = Flights()
        self._turns = asyncio.Semaphore(size)
        self._idle: list[AsyncConnection[tuple[Any, ...]]] = []
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            database_url,
            min_size=size,
            max_size=size,
            open=False,
            timeout=ACQUIRE_TIMEOUT_SECONDS,
            reconnect_timeout=RECONNECT_SECONDS,
            kwargs={
                **KEEPALIVES,
                "autocommit": True,
                "row_factory": tuple_row,
                "prepare_threshold": 1,
                "application_name": "deadwax read",
                # A page's parts are read one after the other: see projections.pages.
                "options": "-c jit=off -c max_parallel_workers_per_gather=0"
                f" -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s -c lock_timeout={LOCK_TIMEOUT_SECONDS}s",
            },
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._return_idle()
        await self._pool.close()

    async def rows(
        self, statement: bytes, parameters: Sequence[Any] | dict[str, Any] = (), *, keep: bool = True
    ) -> list[tuple[Any, ...]]:
        """Run one statement; its plan is kept for the next time unless `keep` says that there will be none.

        Raises Unavailable where the database does not answer.
        """

        async def work(connection: AsyncConnection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            cursor = await connection.execute(statement, parameters, prepare=None if keep else False)
            return await cursor.fetchall()

        return await self._in_turn(work)

    async def bare(self, statement: Bare, value: bytes) -> Rows:
        """Ask a statement that all requests ask. Raises Unavailable as `rows` does."""
        return await self._in_turn(lambda connection: statement.rows(connection, value))

    async def _in_turn(self, work: Callable[[AsyncConnection[tuple[Any, ...]]], Awaitable[T]]) -> T:
        try:
            if self._turns.locked():
                await asyncio.wait_for(self._turns.acquire(), ACQUIRE_TIMEOUT_SECONDS)
            else:
                await self._turns.acquire()
        except TimeoutError as error:
            raise Unavailable from error
        try:
            return await self._run(work)
        except _Broken:
            # The server restarted: the other connections are as dead as this one. They are replaced at once, so that
            # a read is tried again on a live one instead of each of them failing a request.
            await self._return_idle()
            await self._pool.check()
            try:
                return await self._run(work)
            except _Broken as error:
                raise Unavailable from error
        finally:
            self._turns.release()

    async def _run(self, work: Callable[[AsyncConnection[tuple[Any, ...]]], Awaitable[T]]) -> T:
        try:
            connection = self._idle.pop() if self._idle else await self._pool.getconn()
        except PoolTimeout as error:
            raise Unavailable from error
        try:
            return await work(connection)
        except psycopg.OperationalError as error:
            raise (_Broken if connection.closed else Unavailable) from error
        finally:
            if connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                # Broken, or left in the middle of its work by a request that was given up.
                await self._pool.putconn(connection)

    async def _return_idle(self) -> None:
        while self._idle:
            await self._pool.putconn(self._idle.pop())

    async def row(
        self, statement: bytes, parameters: Sequence[Any] | dict[str, Any] = (), *, keep: bool = True
    ) -> tuple[Any, ...] | None:
        """Run one statement and return its first row, None without one."""
        found = await self.rows(statement, parameters, keep=keep)
        return found[0] if found else None

    async def shared(self, statement: bytes, parameters: Sequence[Any], *, keep: bool = True) -> tuple[Any, ...] | None:
        """Return the first row as `row` does, from one query for all that ask exactly this at once."""
        question = (statement, *(tuple(p) if isinstance(p, list) else p for p in parameters))
        found: tuple[Any, ...] | None = await self._flights.ask(
            question, lambda: self.row(statement, parameters, keep=keep)
        )
        return found

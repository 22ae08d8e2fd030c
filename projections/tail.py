"""The end of the log: who waits here is woken when it has grown."""

import asyncio
import contextlib
from collections.abc import Iterator

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from domain.errors import Busy
from projections.base import KEEPALIVES

POLL_SECONDS = 1.0
CONNECT_TIMEOUT_SECONDS = 5
MOST_FOLLOWERS = 100
_NEWEST = b"SELECT coalesce(max(notification_id), 0) FROM events"
_log = structlog.get_logger("tail")


class Tail:
    """One connection that listens for all who follow the log in this process, from the first of them on.

    A position is seen here after its transaction and every one before it: the log's lock orders them.
    """

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._task: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self._followers = 0
        self.position = 0
        self.is_closed = False

    def end(self) -> None:
        """Let go of everybody who waits, now and from now on."""
        self.is_closed = True
        self._wake()

    async def close(self) -> None:
        self.end()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def require_room(self) -> None:
        """Raises Busy where as many follow as may."""
        if self._followers >= MOST_FOLLOWERS:
            raise Busy("Too many streams at once. Try again.")

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        self._followers += 1
        if self._task is None and not self.is_closed:
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._followers -= 1

    async def wait(self, seen: int, seconds: float) -> bool:
        """Return true once the log has grown beyond the position `seen`, false after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.position <= seen and not self.is_closed:
                    await self._grown.wait()
        return self.position > seen

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    async def _run(self) -> None:
        is_away = False
        while True:
            try:
                async with await self._connected() as connection:
                    is_away = False
                    await self._listen(connection)
            except psycopg.Error:
                if not is_away:
                    _log.warning("the database is away: nobody is told of new events")
                is_away = True
                await asyncio.sleep(POLL_SECONDS)

    async def _connected(self) -> AsyncConnection[TupleRow]:
        return await AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="deadwax tail",
            **KEEPALIVES,
        )

    async def _listen(self, connection: AsyncConnection[TupleRow]) -> None:
        await connection.execute("LISTEN events")
        while True:
            found = await (await connection.execute(_NEWEST)).fetchone()
            newest = found[0] if found else 0
            if newest != self.position:
                # It may be smaller too, where an older log was restored: who has seen more waits for it to grow.
                self.position = newest
                self._wake()
            async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass

"""When keys were last used: noted now and then, never while a request waits."""

import asyncio
import contextlib
import time
from uuid import UUID

import structlog

from domain.errors import Unavailable
from projections.organizations import Gate

NOTE_SECONDS = 5.0
AGAIN_SECONDS = 60.0
_log = structlog.get_logger("api.uses")


class Uses:
    """Keys seen by this process. Each is written at most once a minute."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._noted: dict[UUID, float] = {}
        self._seen: set[UUID] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, key: UUID) -> None:
        self._seen.add(key)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(Unavailable):
            await self.note()

    async def note(self) -> None:
        """Write down the keys seen since the last time. Raises Unavailable."""
        now = time.monotonic()
        self._noted = {key: at for key, at in self._noted.items() if now - at < AGAIN_SECONDS}
        seen, self._seen = self._seen, set()
        fresh = [key for key in seen if key not in self._noted]
        if fresh:
            await self._gate.touch(fresh)
            self._noted.update(dict.fromkeys(fresh, now))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            try:
                await self.note()
            except Unavailable:
                _log.warning("the database is away: the use of keys is not noted")

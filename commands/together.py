"""Saves that come while one is under way share the next transaction.

A transaction costs more than what one save does in it: the round trip, the log's lock, the flush of the commit. Under
load each is paid once for all that wait. A save that comes alone goes at once, so it never waits for company.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from commands.save import Save, Saved
from domain.errors import Unavailable

MOST = 64
"""Saves in one transaction: what waits behind them should not notice."""
LATE_SECONDS = 0.02
"""A transaction that takes longer waits for a lock: the others no longer wait for it."""

Write = Callable[[Sequence[Save]], Awaitable[list[Saved]]]


class _Waiting:
    """`drop` gives it up, and returns what is ended by that: set once it is under way."""

    __slots__ = ("drop", "future", "ids", "save")

    def __init__(self, save: Save) -> None:
        self.drop: Callable[[], asyncio.Future[Any] | None] | None = None
        self.save = save
        self.ids = {change.id for change in save.changes}
        self.future: asyncio.Future[Saved] = asyncio.get_running_loop().create_future()


class Together:
    """`write` saves all or none of what it is given, in one transaction. For one event loop."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[_Waiting] = []
        self._prompt = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def save(self, save: Save) -> Saved:
        """Save it with what waits now. Raises what it would raise alone."""
        waiting = _Waiting(save)
        self._waiting.append(waiting)
        if not self._prompt:
            self._start()
        try:
            return await asyncio.shield(waiting.future)
        except asyncio.CancelledError:
            waiting.future.cancel()
            if waiting.drop is None:
                self._waiting.remove(waiting)
            elif (ending := waiting.drop()) is not None:
                # Who gave up may rely on it that nothing is written from here on.
                await asyncio.wait([ending])
            raise

    async def close(self) -> None:
        """Return when nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self) -> None:
        self._prompt += 1
        task = asyncio.create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        is_late = False

        def late() -> None:
            nonlocal is_late
            is_late = True
            self._prompt -= 1
            if self._waiting and not self._prompt:
                self._start()

        timer = asyncio.get_running_loop().call_later(LATE_SECONDS, late)
        try:
            await self._settle(self._next())
        finally:
            timer.cancel()
            if not is_late:
                self._prompt -= 1
            if self._waiting and not self._prompt:
                self._start()

    def _next(self) -> list[_Waiting]:
        """Take what waits, in its order; of two saves of one aggregate the second stays for the next time."""
        taken: list[_Waiting] = []
        left: list[_Waiting] = []
        ids: set[UUID] = set()
        for waiting in self._waiting:
            fits = len(taken) < MOST and ids.isdisjoint(waiting.ids)
            (taken if fits else left).append(waiting)
            ids |= waiting.ids
        self._waiting = left
        return taken

    async def _settle(self, batch: list[_Waiting]) -> None:
        writing = asyncio.ensure_future(self._write([waiting.save for waiting in batch]))

        def drop() -> asyncio.Future[Any] | None:
            # One that gives up takes nothing from the others: its save goes on with theirs.
            if not all(waiting.future.cancelled() for waiting in batch):
                return None
            writing.cancel()
            return writing

        for waiting in batch:
            waiting.drop = drop
        try:
            saved = await writing
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - raised where it is awaited
            if len(batch) == 1 or isinstance(error, (Unavailable, asyncio.CancelledError)):
                for waiting in batch:
                    _refuse(waiting.future, error if isinstance(error, Exception) else Unavailable())
                return
            # One of them is refused and all with it: alone each gets its own answer.
            await asyncio.gather(*(self._settle([waiting]) for waiting in batch))
            return
        for waiting, answer in zip(batch, saved, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(answer)


def _refuse(future: "asyncio.Future[Saved]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        # Without a waiter left it is nobody's, and no reason for a warning.
        future.exception()

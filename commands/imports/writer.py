"""What rows bring into the log, a batch being made ready while the one before it is saved."""

import random
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self

from commands.bus import Bus
from commands.imports.arrivals import Brought, Made
from commands.imports.bring_in import bring_in
from commands.imports.run import Batch, products
from commands.save import Saved
from commands.store import Prepared
from commands.work import Context
from domain.errors import Busy, Conflict, Taken

DECIDED_AGAIN_SECONDS = (0.0, 0.005, 0.025, 0.1, 0.5)
"""Pauses before a batch is decided again that another writer was faster than."""


class Written(NamedTuple):
    """A batch that is in the log, and what it made."""

    batch: Batch
    made: Made


class _Ready(NamedTuple):
    batch: Batch
    brought: Brought
    save: Prepared


class Writer:
    """For one thread. A batch may lean on the one before it (an artist that it makes): its save begins only when that
    one's is over, and where that one's failed it is made ready anew."""

    def __init__(self, bus: Bus, context: Context) -> None:
        self._bus = bus
        self._context = context
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="import-saver")
        self._saving: tuple[_Ready, Future[list[Saved]]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._saver.shutdown()

    def write(self, batch: Batch) -> Written | None:
        """Take a batch; return the one before it, which is in the log by then. Raises what Bus.execute raises."""
        ready = None if self._is_about_the_same(batch) else self._make_ready(batch)
        written, is_as_expected = self._settle()
        if ready is None or not is_as_expected:
            ready = self._make_ready(batch)
        self._saving = ready, self._saver.submit(self._bus.store.write, ready.save)
        return written

    def finish(self) -> Written | None:
        """Return the last batch, once it is in the log."""
        return self._settle()[0]

    def _is_about_the_same(self, batch: Batch) -> bool:
        """Say whether it has copies of products that the save under way has too: what that makes of them counts."""
        if self._saving is None:
            return False
        coming = {row.claim for row in products(batch) if row.copies is not None}
        return bool(coming) and any(row.claim in coming for row in products(self._saving[0].batch))

    def _make_ready(self, batch: Batch) -> _Ready:
        """Raises Busy."""
        credits = self._saving[0].brought.credits if self._saving else {}
        for pause in DECIDED_AGAIN_SECONDS:
            self._pause(pause)
            try:
                brought = bring_in(products(batch), self._bus.work(self._context), credits)
            except Conflict:
                continue
            return _Ready(batch, brought, self._bus.store.prepare([brought.save]))
        raise Busy

    def _settle(self) -> tuple[Written | None, bool]:
        """Wait for the save under way; say whether it went as expected. Another writer's win has it decided again."""
        if self._saving is None:
            return None, True
        ready, saved = self._saving
        self._saving = None
        try:
            saved.result()
        except (Conflict, Taken):
            return Written(ready.batch, self._decided_again(ready.batch)), False
        return Written(ready.batch, ready.brought.made), True

    def _decided_again(self, batch: Batch) -> Made:
        """Raises Busy."""
        for pause in DECIDED_AGAIN_SECONDS:
            self._pause(pause)
            ready = self._make_ready(batch)
            try:
                self._bus.store.write(ready.save)
            except (Conflict, Taken):
                continue
            return ready.brought.made
        raise Busy

    def _pause(self, seconds: float) -> None:
        if seconds:
            self._bus.store.connections.pause(random.uniform(0.2, 1) * seconds)  # noqa: S311 - jitter

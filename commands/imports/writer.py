"""What rows bring into the log, a batch being made ready while the one before it is saved."""

import contextlib
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from commands.bus import Bus
from commands.imports.arrivals import Brought, ImportRow, Made
from commands.imports.bring_in import bring_in
from commands.imports.run import Batch, products
from commands.save import Saved
from commands.store import Prepared
from commands.work import Context
from domain.errors import Busy, Conflict, Taken

PIECE_ROWS = 25
AGAIN_AFTER_SECONDS = (0.005, 0.025, 0.1, 0.2, 0.4, 0.8, 1.6, 0.0)

T = TypeVar("T")


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

        def ready() -> _Ready:
            brought = bring_in(products(batch), self._bus.work(self._context), credits)
            return _Ready(batch, brought, self._bus.store.prepare([brought.save]))

        return self._persistently(ready)

    def _settle(self) -> tuple[Written | None, bool]:
        """Wait for the save under way; say whether it went as expected. Another writer's win has it decided again."""
        if self._saving is None:
            return None, True
        ready, saved = self._saving
        self._saving = None
        try:
            saved.result()
        except (Conflict, Taken):
            return Written(ready.batch, self._decided_again(products(ready.batch))), False
        return Written(ready.batch, ready.brought.made), True

    def _decided_again(self, rows: Sequence[ImportRow]) -> Made:
        """Save in small pieces: where others write to the same products a large one would lose again. Raises Busy."""
        made = Made()
        for start in range(0, len(rows), PIECE_ROWS):
            more = self._persistently(partial(self._saved, rows[start : start + PIECE_ROWS]))
            made = Made(*map(sum, zip(made, more, strict=True)))
        return made

    def _saved(self, rows: Sequence[ImportRow]) -> Made:
        """Raises Conflict, Taken."""
        brought = bring_in(rows, self._bus.work(self._context))
        self._bus.store.write(self._bus.store.prepare([brought.save]))
        return brought.made

    def _persistently(self, attempt: Callable[[], T]) -> T:
        """Try until no other writer is faster. Raises Busy."""
        for pause in AGAIN_AFTER_SECONDS:
            with contextlib.suppress(Conflict, Taken):
                return attempt()
            self._bus.store.connections.pause(random.uniform(0.2, 1) * pause)  # noqa: S311 - jitter
        raise Busy

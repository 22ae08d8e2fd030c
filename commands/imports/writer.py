"""Products into the log, a batch being made ready while the one before it is saved."""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID

from commands.bus import Bus
from commands.imports.run import Batch, create_new, products
from commands.product import bring_in
from commands.save import Save, Saved
from commands.store import Prepared
from commands.work import Context
from domain.errors import Conflict, Taken
from domain.product.events import Credit


class Written(NamedTuple):
    """A batch that is in the log, and how many products it made."""

    batch: Batch
    created: int


class _Ready(NamedTuple):
    """`coming` are the credits that it makes."""

    batch: Batch
    save: Prepared
    created: int
    coming: dict[UUID, Credit]


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
        ready = self._make_ready(batch)
        written, is_as_expected = self._settle()
        if not is_as_expected:
            ready = self._make_ready(batch)
        self._saving = ready, self._saver.submit(self._bus.store.write, ready.save)
        return written

    def finish(self) -> Written | None:
        """Return the last batch, once it is in the log."""
        return self._settle()[0]

    def _make_ready(self, batch: Batch) -> _Ready:
        before = self._saving[0].coming if self._saving else {}
        changes, claims = bring_in(products(batch), self._bus.work(self._context), before)
        coming = {change.id: change.after for change in changes if isinstance(change.after, Credit)}
        return _Ready(batch, self._bus.store.prepare([Save(changes, claims)]), len(claims), coming)

    def _settle(self) -> tuple[Written | None, bool]:
        """Wait for the save under way; say whether it went as expected. Another writer's win has it decided again."""
        if self._saving is None:
            return None, True
        ready, saved = self._saving
        self._saving = None
        try:
            saved.result()
        except (Conflict, Taken):
            rows = products(ready.batch)
            created = create_new(rows, lambda command: self._bus.execute(command, self._context))
            return Written(ready.batch, created), False
        return Written(ready.batch, ready.created), True

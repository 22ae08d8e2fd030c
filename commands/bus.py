"""The bus: a command's type finds its handler; a concurrent write that won makes it decide again."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import uuid_utils.compat

from commands import organization, product
from commands.imports import job
from commands.store import Guard, Receipt, Saved, Store
from commands.work import Context, Work
from domain.errors import Busy, Conflict

RETRIES = 3
BACKOFF_SECONDS = (0.005, 0.025, 0.1, 0.0)
_LOCKS = 64


class Command(Protocol):
    """A frozen Struct that says what to do. `subject` is the aggregate it is about; None for several or a new one."""

    @property
    def subject(self) -> UUID | None: ...


class Handler(Protocol):
    def __call__(self, command: Any, work: Work) -> Saved: ...


HANDLERS: Mapping[Any, Handler] = {**organization.HANDLERS, **product.HANDLERS, **job.HANDLERS}


class Bus:
    """Runs commands. Synchronous and safe to share between threads."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], UUID] = uuid_utils.compat.uuid7,
    ) -> None:
        self.store = store
        self._clock = clock
        self._new_id = new_id
        # Two writers of one aggregate in one process take turns instead of failing each other; other processes are
        # met by the log's own version check.
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def execute(
        self, command: Any, context: Context, *, receipt: Receipt | None = None, guard: Guard | None = None
    ) -> Saved:
        """Run one command. `guard` refuses it from within its transaction; `receipt` is bound to its answer.

        Raises what the handler raises, Replayed and IdempotencyMismatch (see Store.save), Busy when concurrent
        writes won too often, Unavailable.
        """
        handler = HANDLERS[type(command)]
        lock = self._locks[hash(command.subject) % _LOCKS] if command.subject else None
        if lock is not None and not lock.acquire(timeout=10):
            raise Busy
        try:
            for attempt in range(RETRIES + 1):
                work = Work(self.store, context, self._clock(), self._new_id, receipt, guard)
                try:
                    return handler(command, work)
                except Conflict:
                    time.sleep(random.uniform(0.2, 1) * BACKOFF_SECONDS[attempt])  # noqa: S311 - jitter
            raise Busy
        finally:
            if lock is not None:
                lock.release()

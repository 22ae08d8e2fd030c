"""The bus: a command's type finds its handler; a concurrent write that won makes it decide again."""

import random
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import uuid_utils.compat

from commands import (
    asset,
    asset_uploads,
    connection,
    download,
    inventory,
    listing,
    notification,
    organization,
    presence,
    product,
    product_batch,
    purchase,
    sale,
    task,
)
from commands.imports import job
from commands.recorder import Guard
from commands.save import Receipt, Saved
from commands.store import Store
from commands.work import Context, Work
from domain.errors import Busy, Conflict
from domain.rates import MAX_AGE_DAYS

RETRIES = 3
"""How often a command is decided again; its type may have a number of its own."""
BACKOFF_SECONDS = (0.005, 0.025, 0.1)
_LOCKS = 64
_TURN_SECONDS = 5.0


class Command(Protocol):
    """A frozen Struct that says what to do. `subject` is the aggregate it is about; None for several or a new one."""

    @property
    def subject(self) -> UUID | None: ...


class Handler(Protocol):
    def __call__(self, command: Any, work: Work) -> Saved: ...


HANDLERS: Mapping[Any, Handler] = {
    **organization.HANDLERS,
    **product.HANDLERS,
    **product_batch.HANDLERS,
    **presence.HANDLERS,
    **inventory.HANDLERS,
    **asset.HANDLERS,
    **asset_uploads.HANDLERS,
    **purchase.HANDLERS,
    **download.HANDLERS,
    **connection.HANDLERS,
    **listing.HANDLERS,
    **notification.HANDLERS,
    **sale.HANDLERS,
    **job.HANDLERS,
    **task.HANDLERS,
}


class Bus:
    """Runs commands, wherever its store is for: in threads, which share it, or within an event loop."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], UUID] = uuid_utils.compat.uuid7,
        rate_max_age_days: int = MAX_AGE_DAYS,
    ) -> None:
        self.store = store
        self._clock = clock
        self._new_id = new_id
        self._rate_max_age_days = rate_max_age_days
        # Two writers of one aggregate in one process take turns instead of failing each other; other processes are
        # met by the log's own version check.
        self._locks = tuple(store.connections.lock(_TURN_SECONDS) for _ in range(_LOCKS))

    def work(self, context: Context, receipt: Receipt | None = None, guard: Guard | None = None) -> Work:
        """Return what a handler works with, as of now."""
        return Work(self.store, context, self._clock(), self._new_id, receipt, guard, self._rate_max_age_days)

    def execute(
        self, command: Command, context: Context, *, receipt: Receipt | None = None, guard: Guard | None = None
    ) -> Saved:
        """Run one command. `guard` refuses it from within its transaction; `receipt` is bound to its answer.

        Raises what the handler raises, Replayed and IdempotencyMismatch (see Store.save), Busy when concurrent
        writes won too often, Unavailable.
        """
        handler = HANDLERS[type(command)]
        lock = self._locks[hash(command.subject) % _LOCKS] if command.subject else nullcontext()
        try:
            with lock:
                for attempt in range(getattr(command, "RETRIES", RETRIES) + 1):
                    try:
                        return handler(command, self.work(context, receipt, guard))
                    except Conflict:
                        most = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
                        self.store.connections.pause(random.uniform(0.2, 1) * most)  # noqa: S311 - jitter
        except TimeoutError as error:
            raise Busy from error
        raise Busy

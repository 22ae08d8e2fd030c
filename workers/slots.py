"""How much more work a process can take, and the lease of what it does."""

import threading
import time
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog

from domain.errors import DeadwaxError, Unavailable
from projections.todo import Todo

LEASE_SECONDS = 20.0
RENEW_SECONDS = 5.0
_log = structlog.get_logger("lease")


class Abandoned(DeadwaxError):
    """This worker is to stop, or its lease is another's now."""


class Slots:
    """Counts what was sent from here and has not been seen to end; what another process took is let go in time."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._running: set[UUID] = set()
        self._sent: dict[UUID, float] = {}

    def free(self) -> int:
        with self._lock:
            now = time.monotonic()
            self._sent = {token: at for token, at in self._sent.items() if now - at < LEASE_SECONDS}
            return max(0, self._threads - len(self._running) - len(self._sent))

    def sent(self, token: UUID) -> None:
        with self._lock:
            self._sent[token] = time.monotonic()

    def started(self, token: UUID) -> None:
        with self._lock:
            self._sent.pop(token, None)
            self._running.add(token)

    def done(self, token: UUID) -> None:
        with self._lock:
            self._sent.pop(token, None)
            self._running.discard(token)


class Lease:
    """Keeps a lease while the block runs, from a thread of its own. `check()` in the block says whether to go on."""

    def __init__(
        self,
        todo: Todo,
        subject: UUID,
        token: UUID,
        stopping: threading.Event,
        *,
        lease_seconds: float = LEASE_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._todo = todo
        self._subject = subject
        self._token = token
        self._stopping = stopping
        self._over = threading.Event()
        self._lease_seconds = lease_seconds
        self._renew_seconds = renew_seconds
        self._kept_until = time.monotonic() + lease_seconds
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raises Abandoned."""
        if self._stopping.is_set() or time.monotonic() > self._kept_until:
            raise Abandoned

    def _keep(self) -> None:
        while not self._over.wait(self._renew_seconds):
            try:
                if not self._todo.renew(self._subject, self._token, self._lease_seconds):
                    self._kept_until = 0.0
                    return
                self._kept_until = time.monotonic() + self._lease_seconds
            except Unavailable:
                _log.warning("lease not renewed", subject=str(self._subject))

"""The leases of what this process does at the moment, all kept by one thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog

from domain.errors import DeadwaxError, Unavailable
from projections.todo import Todo
from workers.tally import Tally

LEASE_SECONDS = 20.0
RENEW_SECONDS = 5.0
_log = structlog.get_logger("leases")


class Abandoned(DeadwaxError):
    """This worker is to stop, or its lease is another's now."""


class Lease:
    """What one attempt has of its lease. `attempt` counts all attempts at the work, from 1."""

    def __init__(self, subject: UUID, token: UUID, attempt: int, stopping: threading.Event, seconds: float) -> None:
        self.subject = subject
        self.token = token
        self.attempt = attempt
        self._stopping = stopping
        self._kept_until = time.monotonic() + seconds

    def check(self) -> None:
        """Say whether to go on. Raises Abandoned."""
        if self._stopping.is_set() or time.monotonic() > self._kept_until:
            raise Abandoned

    def kept(self, seconds: float) -> None:
        self._kept_until = time.monotonic() + seconds

    def lost(self) -> None:
        self._kept_until = 0.0


class Leases:
    """Renews what is held, puts off what could not be put off at once, and hands on the tally."""

    def __init__(
        self,
        todo: Todo,
        stopping: threading.Event,
        tally: Tally,
        *,
        lease_seconds: float = LEASE_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._todo = todo
        self._stopping = stopping
        self._tally = tally
        self._lease_seconds = lease_seconds
        self._renew_seconds = renew_seconds
        self._lock = threading.Lock()
        self._held: dict[UUID, Lease] = {}
        self._to_put_off: list[tuple[UUID, UUID, float, str]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(timeout=self._renew_seconds)
        self._todo.close()

    @contextmanager
    def held(self, subject: UUID, token: UUID, attempt: int = 1) -> Iterator[Lease]:
        """Keep a lease, just taken or renewed, while the block runs."""
        lease = Lease(subject, token, attempt, self._stopping, self._lease_seconds)
        with self._lock:
            self._held[token] = lease
        try:
            yield lease
        finally:
            with self._lock:
                del self._held[token]

    def put_off_later(self, subject: UUID, token: UUID, after_seconds: float, reason: str) -> None:
        """Do what Todo.put_off does once the database answers again."""
        with self._lock:
            self._to_put_off.append((subject, token, after_seconds, reason))

    def _keep(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._over.wait(self._renew_seconds)
            try:
                self._renew()
                self._put_off()
                self._tally.hand_on(self._todo)
            except Unavailable:
                _log.warning("not renewed", reason="the database cannot be reached")
            except Exception:  # noqa: BLE001 - without it no lease would be kept any more
                _log.exception("failed")

    def _renew(self) -> None:
        with self._lock:
            held = list(self._held.values())
        if not held:
            return
        kept = self._todo.renew([(lease.subject, lease.token) for lease in held], self._lease_seconds)
        for lease in held:
            if lease.token in kept:
                lease.kept(self._lease_seconds)
            else:
                lease.lost()

    def _put_off(self) -> None:
        while self._to_put_off:
            self._todo.put_off(*self._to_put_off[0])
            with self._lock:
                del self._to_put_off[0]

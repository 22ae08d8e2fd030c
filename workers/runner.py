"""Runs what was leased: one attempt at a time, counted by whoever makes it, and handed back where it got nowhere."""

import threading
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

import structlog

from domain.errors import Busy, DeadwaxError, Taken, Unavailable
from domain.ids import uid
from projections.todo import Todo
from workers.slots import LEASE_SECONDS, Abandoned, Lease, Slots

MAX_BACKOFF_SECONDS = 30.0
_log = structlog.get_logger("runner")


class Overtaken(DeadwaxError):
    """Another worker does this now, or it is over."""


class Work(Protocol):
    """A piece of work as it stands; `fruitless` are the attempts since it last got on."""

    @property
    def fruitless(self) -> int: ...

    def attempt(self, lease: Lease) -> None:
        """Do it to its end, of whatever kind. Raises Overtaken, and Abandoned where `lease.check()` does."""
        ...


class Runner:
    """Runs the work of one kind in the broker's threads. With `stopping` set what runs ends soon, and is still owed.

    `take` gives the work of an id, None where it is over; `prefix` makes the id the uid that log lines have.
    """

    def __init__(
        self,
        database_url: str,
        slots: Slots,
        stopping: threading.Event,
        prefix: str,
        take: Callable[[UUID], Work | None],
    ) -> None:
        self._database_url = database_url
        self._slots = slots
        self._stopping = stopping
        self._prefix = prefix
        self._take = take

    def run(self, subject: str, token: str) -> None:
        """Run it where the lease is still this message's; ids as text, as the broker carries them."""
        id, lease = UUID(subject), UUID(token)
        self._slots.started(lease)
        try:
            with structlog.contextvars.bound_contextvars(work=uid(self._prefix, id)), Todo(self._database_url) as todo:
                self._leased(id, lease, todo)
        except Unavailable:
            _log.warning("abandoned", reason="an engine cannot be reached")
        finally:
            self._slots.done(lease)

    def _leased(self, id: UUID, token: UUID, todo: Todo) -> None:
        if self._stopping.is_set() or not todo.renew(id, token, LEASE_SECONDS):
            return
        work = self._take(id)
        if work is None:
            return
        after_seconds = 0.0
        try:
            with Lease(todo, id, token, self._stopping) as lease:
                work.attempt(lease)
        except Overtaken:
            _log.warning("superseded")
            return
        except Abandoned:
            _log.info("handed back")
        except (Unavailable, Busy, Taken) as error:
            after_seconds = min(MAX_BACKOFF_SECONDS, 2.0**work.fruitless)
            _log.warning("interrupted", reason=str(error), again_in_seconds=after_seconds)
        except Exception:  # noqa: BLE001 - attempts are counted; the last one ends it visibly
            after_seconds = min(MAX_BACKOFF_SECONDS, 2.0**work.fruitless)
            _log.exception("failed", again_in_seconds=after_seconds)
        todo.release(id, token, after_seconds)

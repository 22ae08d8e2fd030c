"""Runs what was leased: one attempt, counted before it runs, and what becomes of the work where it comes to nothing."""

import random
import threading
import time
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol
from uuid import UUID, uuid4

import structlog

from commands.bus import Bus
from commands.logs import described
from commands.task import FailTask
from commands.work import Context
from domain.errors import Busy, DeadwaxError, Unavailable
from domain.task.task import MAX_ATTEMPTS, WORKER_DIED, subject_uid
from projections.todo import Begun, Todo
from workers import tally
from workers.leases import LEASE_SECONDS, Abandoned, Lease, Leases
from workers.slots import Slots
from workers.tally import Tally

PUT_OFF_SECONDS = (5.0, 10.0)
"""So long work waits for an engine that is away; somewhere between, so that not all of it comes back at once."""
LaneName = Literal["prompt", "long", "sync"]
"""`prompt` takes moments, `long` may take minutes, `sync` waits for marketplaces."""
_log = structlog.get_logger("runner")


class Overtaken(DeadwaxError):
    """Another worker does this now, or it is over."""


class Postponed(DeadwaxError):
    """This attempt came to nothing. The message is for operators and stays in the log: own words, nobody's data.

    `after_seconds` is how long whoever was asked wants to be left alone: the next attempt comes no sooner.
    """

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Hopeless(Postponed):
    """As Postponed, and another attempt would not help."""


class Again(NamedTuple):
    """Due again in so many seconds, without an event; where it became due meanwhile, then. With a `reason` it waits for
    something that is no fault of its own, and its attempts are counted on; without one it got on, and none is.
    """

    after_seconds: float
    reason: str | None = None


class Over(NamedTuple):
    """Nothing is owed any more, though no event said so."""


class Work(Protocol):
    """A piece of work as it stands."""

    def attempt(self, lease: Lease) -> Again | Over | None:
        """Do it, and take it off the list or say when it is due again, with the event that tells what came of it; or
        return what becomes of it where there is no event.

        Raises Abandoned where `lease.check()` does, Overtaken, Postponed, Hopeless; Unavailable and Busy count as no
        attempt; whatever else it raises counts as Postponed.
        """
        ...


class Kind(NamedTuple):
    """Work of one name. `take` gives it as it stands, None where it is over.

    After `max_fruitless` attempts that came to nothing it is dead; None: it ends itself, or never does. Each lane has
    threads of its own.
    """

    name: str
    take: Callable[[UUID], Work | None]
    max_fruitless: int | None = MAX_ATTEMPTS
    lane: LaneName = "prompt"


class Runner:
    """Runs work of one kind in the broker's threads. With `stopping` set what runs ends soon, and is still owed."""

    def __init__(
        self,
        kind: Kind,
        bus: Bus,
        todo: Callable[[], Todo],
        slots: Slots,
        leases: Leases,
        tally: Tally,
        stopping: threading.Event,
    ) -> None:
        self._kind = kind
        self._bus = bus
        self._todo = todo
        self._slots = slots
        self._leases = leases
        self._tally = tally
        self._stopping = stopping

    def run(self, subject: str, token: str) -> None:
        """Run it where the lease is still this message's; ids as text, as the broker carries them."""
        id, lease = UUID(subject), UUID(token)
        self._slots.started()
        try:
            with structlog.contextvars.bound_contextvars(work=subject_uid(self._kind.name, id)):
                self._leased(id, lease, self._todo())
        except Unavailable:
            _log.warning("abandoned", reason="the database cannot be reached")
        finally:
            self._slots.ended()

    def _leased(self, id: UUID, token: UUID, todo: Todo) -> None:
        if self._stopping.is_set():
            todo.release(id, token)
            return
        begun = todo.begin(id, token, LEASE_SECONDS)
        if begun is None:
            return
        started = time.monotonic()
        attempt = _Attempt(self._kind, self._bus, todo, self._leases, id, token, begun)
        outcome = attempt.run()
        self._tally.add(self._kind.name, outcome, time.monotonic() - started)


class _Attempt:
    def __init__(self, kind: Kind, bus: Bus, todo: Todo, leases: Leases, id: UUID, token: UUID, begun: Begun) -> None:
        self._kind = kind
        self._bus = bus
        self._todo = todo
        self._leases = leases
        self._id = id
        self._token = token
        self._begun = begun

    def run(self) -> str:
        """Return how it ended. Raises Unavailable where the database is gone with the end of it."""
        limit = self._kind.max_fruitless
        if limit is not None and self._begun.fruitless > limit:
            return self._failed(WORKER_DIED, self._begun.attempt - 1, limit)
        try:
            with self._leases.held(self._id, self._token, self._begun.attempt) as lease:
                work = self._kind.take(self._id)
                ended = None if work is None else work.attempt(lease)
        except Overtaken:
            return self._superseded()
        except Abandoned:
            _log.info("handed back")
            self._todo.put_off(self._id, self._token)
            return tally.HANDED_BACK
        except (Unavailable, Busy) as error:
            return self._put_off(str(error))
        except Postponed as error:
            most = 0 if isinstance(error, Hopeless) else limit
            return self._failed(str(error), self._begun.attempt, most, error.after_seconds)
        except Exception as error:  # noqa: BLE001 - attempts are counted; the last one ends it visibly
            # Without its message, which may quote what the work is about: an address, a name.
            told = described(error)
            del told["reason"]
            _log.error("failed", **told)
            return self._failed(type(error).__name__, self._begun.attempt, limit)
        if isinstance(ended, Again):
            return self._again(ended)
        if isinstance(ended, Over):
            self._todo.strike(self._id, self._token, self._begun.due)
        else:
            self._todo.release(self._id, self._token)
        return tally.DONE

    def _again(self, ended: Again) -> str:
        self._todo.again(self._id, self._token, self._begun.due, *ended)
        if ended.reason is None:
            return tally.DONE
        _log.debug("waits", reason=ended.reason, again_in_seconds=round(ended.after_seconds, 1))
        return tally.PUT_OFF

    def _superseded(self) -> str:
        _log.warning("superseded")
        return tally.SUPERSEDED

    def _put_off(self, reason: str) -> str:
        after_seconds = random.uniform(*PUT_OFF_SECONDS)  # noqa: S311 - jitter
        _log.warning("put off", reason=reason, again_in_seconds=round(after_seconds, 1))
        try:
            self._todo.put_off(self._id, self._token, after_seconds, reason)
        except Unavailable:
            # The attempt was counted: the work is not to come nearer its end because the database was away.
            self._leases.put_off_later(self._id, self._token, after_seconds, reason)
        return tally.PUT_OFF

    def _failed(self, reason: str, attempt: int, max_fruitless: int | None, after_seconds: float | None = None) -> str:
        fruitless = self._begun.fruitless
        command = FailTask(
            subject=self._id,
            kind=self._kind.name,
            attempt=attempt,
            fruitless=fruitless,
            reason=reason,
            jitter=random.random(),  # noqa: S311 - jitter
            max_fruitless=max_fruitless,
            at_least_seconds=after_seconds or 0.0,
        )
        try:
            if not self._todo.renew([(self._id, self._token)], LEASE_SECONDS):
                return self._superseded()
            self._bus.execute(command, Context(self._begun.organization, "system", f"task-{uuid4()}"))
        except (Unavailable, Busy) as error:
            return self._put_off(str(error))
        is_dead = max_fruitless is not None and fruitless >= max_fruitless
        if is_dead:
            _log.error("given up", reason=reason, attempt=attempt)
        else:
            _log.warning("to be tried again", reason=reason, attempt=attempt)
        return tally.DEAD if is_dead else tally.FAILED

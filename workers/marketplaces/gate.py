"""The way of every request to a marketplace: a turn of the limits that all processes share, then the answer's worth."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from commands.web import Reply, Unreachable, Unreadable, Web
from projections.budget import BREAKER, Budget, Spend
from workers.marketplaces.base import Limited, MarketplaceError, Transient, retry_after

T = TypeVar("T")
PATIENCE_SECONDS = 10.0
"""A turn that is further away is none: the thread has something better to do."""
SLICE_SECONDS = 0.5
FAILURES = 5
"""So many in a row open a connection's breaker."""
OPEN_SECONDS, MOST_OPEN_SECONDS = 30.0, 1800.0
TRIAL_SECONDS = 60.0
"""So long a call may take that a breaker is tried by, before another one tries."""
BLOCK_SECONDS = 60.0
MAX_BLOCK_SECONDS = 86_400.0
TO_READ = frozenset({200, 207})


def utc_now() -> datetime:
    return datetime.now(UTC)


class Timing(NamedTuple):
    """What time it is and how it goes by; a test's is its own."""

    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class Gate:
    """One connection's way out, for one thread. `check` is asked while it waits and right before each request: what it
    raises goes through.
    """

    def __init__(
        self,
        web: Web,
        budget: Budget,
        connection: UUID,
        check: Callable[[], None],
        timing: Timing,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._web = web
        self._budget = budget
        self._connection = connection
        self._check = check
        self._timing = timing
        self._patience_seconds = patience_seconds
        self._failures = 0

    def now(self) -> datetime:
        return self._timing.now()

    def send(
        self,
        method: str,
        url: str,
        spends: Sequence[Spend],
        *,
        headers: Callable[[], Mapping[str, str]],
        body: bytes | None = None,
        is_trial: bool = False,
        reset_seconds: Callable[[], float | None] = lambda: None,
    ) -> Reply:
        """Return what the marketplace itself says: 2xx, or 4xx other than 429. The first of `spends` is what a 429
        blocks, for `reset_seconds` where it does not say how long; `headers` is asked once there is a turn; `is_trial`
        asks no breaker.

        Raises Transient (Limited where it was not asked at all, or too often), Unavailable, and what `headers` and
        `check` do.
        """
        self._await_turn(spends, is_trial=is_trial)
        try:
            with_headers = headers()
        except Transient as error:
            raise self.failed(str(error), error.after_seconds) from error
        except MarketplaceError:
            self._let_go()
            raise
        self._check()
        try:
            reply = self._web.send(method, url, headers=with_headers, body=body)
        except (Unreachable, Unreadable) as error:
            raise self.failed(str(error)) from error
        if reply.status == 429:
            raise self._limited(reply, spends[0], reset_seconds)
        if reply.status >= 500:
            message = f"The marketplace answered with status {reply.status}."
            raise self.failed(message, retry_after(reply.headers))
        if "html" in reply.headers.get("content-type", ""):
            # Not the marketplace itself but what stands before it: a page for browsers says nothing of our request.
            raise self.failed(f"A page was in the way (status {reply.status}).")
        if reply.status not in TO_READ:
            self._went_well()
        return reply

    def failed(self, reason: str, after_seconds: float | None = None) -> Transient:
        """Count a failure that may pass, and return it."""
        self._failures += 1
        self._budget.failed(
            self._connection,
            self.now(),
            reason,
            threshold=FAILURES,
            least_seconds=OPEN_SECONDS,
            most_seconds=MOST_OPEN_SECONDS,
            jitter=self._timing.jitter(),
        )
        return Transient(reason, after_seconds)

    def read(self, reply: Reply, kind: type[T]) -> T:
        """Return what an answer of status 200 or 207 says: until then it is not known whether it is good. Raises
        Transient where it is not of that form.
        """
        try:
            found = msgspec.json.decode(reply.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self.failed("The answer is not what it should be.") from error
        self._went_well()
        return found

    def correct(self, key: str, pace_seconds: float | None, remaining: int, after_seconds: float) -> None:
        """Keep what an answer said of a paced key. See Budget.correct."""
        next_turn = self.now() + timedelta(seconds=after_seconds)
        self._budget.correct(key, pace_seconds, remaining, next_turn)

    def block(self, key: str, seconds: float) -> None:
        """Have nobody take a turn of the key for so long."""
        now = self.now()
        self._budget.block(key, now, now + timedelta(seconds=min(seconds, MAX_BLOCK_SECONDS)))

    def _await_turn(self, spends: Sequence[Spend], *, is_trial: bool) -> None:
        self._check()
        of = None if is_trial else self._connection
        turn = self._budget.take(self.now(), of, spends, self._patience_seconds, TRIAL_SECONDS)
        if turn.refused == BREAKER:
            raise Limited("It failed too often: it is left alone for a while.", turn.wait_seconds)
        if turn.refused is not None:
            raise Limited("No more requests are left for now.", turn.wait_seconds, turn.refused)
        # A trial that goes well closes the breaker whatever it had in mind.
        self._failures = 1 if is_trial else turn.failures
        left = turn.wait_seconds
        while left > 0:
            step = min(left, SLICE_SECONDS)
            self._timing.sleep(step)
            self._check()
            left -= step

    def _limited(self, reply: Reply, spend: Spend, reset_seconds: Callable[[], float | None]) -> Limited:
        """It is no fault of the connection's: who spends of the same key waits, and the breaker stays as it is."""
        seconds = retry_after(reply.headers)
        # Nobody else is to be refused while it is asked.
        self.block(spend.key, BLOCK_SECONDS if seconds is None else seconds)
        if seconds is None and (seconds := reset_seconds()) is None:
            seconds = BLOCK_SECONDS * (1 + self._timing.jitter() / 2)
        self.block(spend.key, seconds)
        self._let_go()
        return Limited("The marketplace was asked too often.", seconds, spend.key)

    def _went_well(self) -> None:
        if self._failures:
            self._budget.succeeded(self._connection)
            self._failures = 0

    def _let_go(self) -> None:
        """Nothing was learnt of whether it works: another call may try that."""
        if self._failures:
            self._budget.let_go(self._connection, self.now())

"""A time for several threads: it moves once all of them wait, to the moment that the first of them waits for."""

import heapq
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sandbox.clock import Clock

STUCK_SECONDS = 60.0


class Simulated:
    """`clock` is what the marketplaces go by, too."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._changed = threading.Condition()
        self._running = 0
        self._waiting: list[datetime] = []

    def sleep(self, seconds: float) -> None:
        with self._changed:
            until = self.clock.now() + timedelta(seconds=seconds)
            heapq.heappush(self._waiting, until)
            self._move()
            while self.clock.now() < until:
                assert self._changed.wait(STUCK_SECONDS), "time stands"

    def run(self, *works: Callable[[], None]) -> None:
        """Do all of it at once, each in a thread of its own, until it is done. Raises what one of them does."""
        failures: list[BaseException] = []

        def one(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - told to whoever waits
                failures.append(error)
            with self._changed:
                self._running -= 1
                self._move()

        self._running = len(works)
        threads = [threading.Thread(target=one, args=[work]) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _move(self) -> None:
        if not self._waiting or len(self._waiting) < self._running:
            return
        self.clock.move((self._waiting[0] - self.clock.now()).total_seconds())
        while self._waiting and self._waiting[0] <= self.clock.now():
            heapq.heappop(self._waiting)
        self._changed.notify_all()

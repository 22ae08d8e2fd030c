"""How many threads of one process may do the same for one connection: one that is broken leaves some to others."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

Turn = tuple[UUID, str]
"""A connection, and what is done for it."""


class Turns:
    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: Counter[Turn] = Counter()

    @contextmanager
    def taken(self, turn: Turn) -> Iterator[bool]:
        """Give True, and hold a turn while the block runs; or False where all of its kind are taken."""
        with self._lock:
            is_taken = self._taken[turn] < self._most
            if is_taken:
                self._taken[turn] += 1
        try:
            yield is_taken
        finally:
            if is_taken:
                with self._lock:
                    self._taken[turn] -= 1
                    self._taken = +self._taken

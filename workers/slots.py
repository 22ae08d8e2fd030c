"""How much more work one lane of a process can take."""

import threading
from collections.abc import Callable


class Slots:
    """Counts what runs in so many threads; `freed` is called with each that ends."""

    def __init__(self, threads: int, freed: Callable[[], None] = lambda: None) -> None:
        self.threads = threads
        self.freed = freed
        self._lock = threading.Lock()
        self._running = 0

    def free(self) -> int:
        with self._lock:
            return max(0, self.threads - self._running)

    def started(self) -> None:
        with self._lock:
            self._running += 1

    def ended(self) -> None:
        with self._lock:
            self._running -= 1
        self.freed()

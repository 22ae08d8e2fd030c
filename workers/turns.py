"""Who may have a thread of this process: no connection takes many, and no marketplace takes all."""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from uuid import UUID


class Turns:
    """Of so many threads a half may be at one marketplace: where it does not answer the others' are not waited for."""

    def __init__(self, threads: int) -> None:
        self._of_platform = max(1, threads // 2)
        self._lock = threading.Lock()
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def taken(self, platform_uid: str, connection: UUID, what: str) -> Iterator[bool]:
        """Give True, and hold a turn while the block runs; or False where somebody does the same for the connection, or
        too many are at its marketplace.
        """
        own = (connection, what)
        with self._lock:
            is_taken = not self._taken[own] and self._taken[platform_uid] < self._of_platform
            if is_taken:
                self._taken.update((own, platform_uid))
        try:
            yield is_taken
        finally:
            if is_taken:
                with self._lock:
                    self._taken.subtract((own, platform_uid))
                    self._taken = +self._taken

"""How attempts ended, counted here until somebody hands it on to the database, where all processes' numbers meet."""

import threading
from collections import Counter, defaultdict

from projections.todo import Todo

DONE, FAILED, DEAD = "done", "failed", "dead"
PUT_OFF, HANDED_BACK, SUPERSEDED = "put_off", "handed_back", "superseded"


class Tally:
    """Attempts by kind and outcome."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: Counter[tuple[str, str]] = Counter()
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    def add(self, kind: str, outcome: str, seconds: float) -> None:
        with self._lock:
            self._tasks[kind, outcome] += 1
            self._seconds[kind, outcome] += seconds

    def hand_on(self, todo: Todo) -> None:
        """Raises Unavailable; what was counted is kept then."""
        with self._lock:
            tasks, seconds = dict(self._tasks), dict(self._seconds)
        if not tasks:
            return
        todo.tally([(*key, tasks[key], seconds[key]) for key in tasks])
        with self._lock:
            self._tasks.subtract(tasks)
            for key, handed_on in seconds.items():
                self._seconds[key] -= handed_on
            self._tasks = +self._tasks

"""What has to be done from time to time, whoever does it: chores that any number of processes may run at once."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from domain.errors import Unavailable

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 30.0
_END_SECONDS = 2.0
_log = structlog.get_logger("scheduler")


class Chore(NamedTuple):
    """`do` is run at once, and then `every_seconds`; sooner again where an engine could not be reached."""

    name: str
    every_seconds: float
    do: Callable[[], object]


class Scheduler:
    """Runs its chores one after the other, in a thread of its own."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._due = dict.fromkeys(chores, time.monotonic())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return when the chore that runs is done, or after a few seconds: none minds being cut short."""
        self._stopping.set()
        self._thread.join(timeout=_END_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            for chore, due in self._due.items():
                if due <= time.monotonic() and not self._stopping.is_set():
                    self._due[chore] = time.monotonic() + self._done(chore)

    def _done(self, chore: Chore) -> float:
        """Do it; return in how many seconds it is due again."""
        try:
            chore.do()
        except Unavailable:
            _log.warning("put off", chore=chore.name, reason="an engine cannot be reached")
            return min(AGAIN_SECONDS, chore.every_seconds)
        except Exception:  # noqa: BLE001 - the other chores are to be done, and this one the next time
            _log.exception("chore failed", chore=chore.name)
        return chore.every_seconds

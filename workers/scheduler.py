"""What has to be done from time to time, by any of the processes and once a period by all of them together."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from domain.errors import Unavailable
from projections.chores import Chores, Taken
from workers.leases import LEASE_SECONDS, Leases

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 30.0
_END_SECONDS = 2.0
_log = structlog.get_logger("scheduler")


class Chore(NamedTuple):
    """`do` is run once it is known, and then `every_seconds`; sooner again where an engine could not be reached."""

    name: str
    every_seconds: float
    do: Callable[[], object]


class Scheduler:
    """Runs chores that are due and that no other process runs, one after the other, in a thread of its own."""

    def __init__(self, chores: Sequence[Chore], table: Chores, leases: Leases) -> None:
        self._chores = {chore.name: chore for chore in chores}
        self._table = table
        self._leases = leases
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return when the chore that runs is done, or after a few seconds: none minds being cut short."""
        self._stopping.set()
        self._thread.join(timeout=_END_SECONDS)
        self._table.close()

    def _run(self) -> None:
        names, periods = list(self._chores), [chore.every_seconds for chore in self._chores.values()]
        are_known, is_waiting = False, False
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                if not are_known:
                    self._table.know(names)
                    are_known = True
                while (taken := self._table.take(names, periods, LEASE_SECONDS)) and not self._stopping.is_set():
                    self._do(taken)
                is_waiting = False
            except Unavailable:
                if not is_waiting:
                    is_waiting = True
                    _log.warning("waiting", reason="the database cannot be reached")
            except Exception:  # noqa: BLE001 - without it nothing would be done from time to time any more
                _log.exception("scheduler failed")

    def _do(self, taken: Taken) -> None:
        chore = self._chores[taken.name]
        again_in_seconds = chore.every_seconds
        with self._leases.held(taken.subject, taken.token):
            try:
                chore.do()
            except Unavailable:
                _log.warning("put off", chore=chore.name, reason="an engine cannot be reached")
                again_in_seconds = min(AGAIN_SECONDS, chore.every_seconds)
            except Exception:  # noqa: BLE001 - the other chores are to be done, and this one the next time
                _log.exception("chore failed", chore=chore.name)
            self._table.done(taken.subject, taken.token, again_in_seconds)

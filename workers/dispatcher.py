"""From the to-do list to the broker: leases what is due and sends who is to do it."""

import threading
from collections.abc import Callable, Sequence

import structlog

from domain.errors import Unavailable
from projections.todo import Leased, News, Todo
from workers.broker import Broker
from workers.slots import Slots

POLL_SECONDS = 1.0
GATHER_SECONDS = 0.003
"""News that come so close together are looked after together."""
SENT_SECONDS = 10.0
"""A message that nobody has begun by then counts as lost."""
_log = structlog.get_logger("dispatcher")


class Dispatcher:
    """Sends work of some kinds, in a thread of its own. Any number of them may run, in any number of processes.

    `ahead` is how many pieces may wait for a thread beyond those that are free.
    """

    def __init__(self, todo: Todo, broker: Broker, slots: Slots, kinds: Sequence[str], ahead: int = 0) -> None:
        self._todo = todo
        self._broker = broker
        self._slots = slots
        self._kinds = tuple(kinds)
        self._ahead = ahead
        self._found_some = True
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        slots.freed = self._freed

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()
        self._thread.join(timeout=2 * POLL_SECONDS)
        self._todo.close()

    def wake(self) -> None:
        """Look at the list now."""
        self._woken.set()

    def _freed(self) -> None:
        # With nothing due a free thread is no news.
        if self._found_some:
            self._woken.set()

    def _run(self) -> None:
        waiting = False
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self._found_some = self.dispatch()
            except Unavailable:
                if not waiting:
                    waiting = True
                    _log.warning("waiting", reason="an engine cannot be reached")
                self._stopping.wait(POLL_SECONDS)
                continue
            except Exception:  # noqa: BLE001 - without it nothing would be dispatched any more
                _log.exception("dispatcher failed")
                self._stopping.wait(POLL_SECONDS)
                continue
            if waiting:
                waiting = False
                _log.info("goes on")
            # What becomes due is not told, and a notice may get lost.
            self._woken.wait(POLL_SECONDS)
            self._stopping.wait(GATHER_SECONDS)

    def dispatch(self) -> bool:
        """Send what is due, as much as this process has threads for; say whether there was any. Raises Unavailable."""
        free = self._slots.free()
        if not free:
            return True
        leased = self._todo.lease(self._kinds, free + self._ahead, SENT_SECONDS)
        for position, work in enumerate(leased):
            try:
                self._broker.send(work.kind, str(work.subject), str(work.token))
            except Unavailable:
                self._give_back(leased[position:])
                raise
        return bool(leased)

    def _give_back(self, unsent: list[Leased]) -> None:
        for work in unsent:
            self._todo.release(work.subject, work.token)


class Listener:
    """Passes on what the database tells, from a thread and a connection of its own."""

    def __init__(self, news: News, told: Sequence[Callable[[], None]]) -> None:
        self._news = news
        self._told = tuple(told)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._news.wait(POLL_SECONDS):
                    continue
            except Unavailable:
                # What it missed meanwhile is found by looking.
                self._stopping.wait(POLL_SECONDS)
            for tell in self._told:
                tell()

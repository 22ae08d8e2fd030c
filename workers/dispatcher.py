"""From the to-do list to the broker: leases what is due and sends who is to do it."""

import threading

import structlog

from domain.errors import Unavailable
from projections.todo import Leased, Todo
from workers.broker import Broker
from workers.slots import LEASE_SECONDS, Slots

POLL_SECONDS = 1.0
_log = structlog.get_logger("dispatcher")


class Dispatcher:
    """Runs in a thread of its own. Any number of them may run, in any number of processes."""

    def __init__(self, todo: Todo, broker: Broker, slots: Slots) -> None:
        self._todo = todo
        self._broker = broker
        self._slots = slots
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=2 * POLL_SECONDS)
        self._todo.close()

    def _run(self) -> None:
        waiting = False
        while not self._stopping.is_set():
            try:
                self.dispatch()
                # New work is told at once; a notice that got lost costs a second.
                self._todo.wait(POLL_SECONDS)
                if waiting:
                    waiting = False
                    _log.info("goes on")
            except Unavailable:
                if not waiting:
                    waiting = True
                    _log.warning("waiting", reason="an engine cannot be reached")
                self._stopping.wait(POLL_SECONDS)
            except Exception:  # noqa: BLE001 - without it nothing would be dispatched any more
                _log.exception("dispatcher failed")
                self._stopping.wait(POLL_SECONDS)

    def dispatch(self) -> None:
        """Send what is due, as much as this process has threads for. Raises Unavailable."""
        free = self._slots.free()
        leased = self._todo.lease(free, LEASE_SECONDS) if free else []
        for position, work in enumerate(leased):
            self._slots.sent(work.token)
            try:
                self._broker.send(work.kind, str(work.subject), str(work.token))
            except Unavailable:
                self._give_back(leased[position:])
                raise

    def _give_back(self, unsent: list[Leased]) -> None:
        for work in unsent:
            self._slots.done(work.token)
            self._todo.release(work.subject, work.token)

"""Threads of one process with a queue of their own: prompt work does not stand behind what takes minutes."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from commands.bus import Bus
from commands.settings import Settings
from projections.todo import Todo
from workers.broker import QUEUE, Broker
from workers.dispatcher import Dispatcher
from workers.leases import Leases
from workers.runner import Kind, Runner
from workers.slots import Slots
from workers.tally import Tally


class Pace(NamedTuple):
    """How short work is: how much of it waits in the queue and, fetched, in the process, for each thread; how often an
    idle process looks.
    """

    name: str
    ahead_per_thread: int
    fetched_per_thread: int
    poll_ms: int


PROMPT = Pace("prompt", 4, 2, 50)
# What stands behind long work would only be kept from other processes.
LONG = Pace("long", 0, 1, 500)


class Lane:
    """Runs work of `kinds`, all of them prompt or none."""

    def __init__(
        self,
        settings: Settings,
        kinds: Sequence[Kind],
        bus: Bus,
        leases: Leases,
        tally: Tally,
        stopping: threading.Event,
    ) -> None:
        is_prompt, threads = any(kind.is_prompt for kind in kinds), settings.worker_threads
        pace = PROMPT if is_prompt else LONG
        self._database_url = settings.database_url
        self._connections = threading.local()
        self._broker = Broker(settings.redis_url, f"{QUEUE}.{pace.name}", pace.poll_ms)
        self._fetched = pace.fetched_per_thread * threads
        self._slots = Slots(threads)
        self._has_kinds = bool(kinds)
        for kind in kinds:
            runner = Runner(kind, bus, self._todo, self._slots, leases, tally, stopping)
            self._broker.register(kind.name, runner.run)
        names = [kind.name for kind in kinds]
        self._dispatcher = Dispatcher(
            Todo(settings.database_url), self._broker, self._slots, names, pace.ahead_per_thread * threads
        )

    def start(self) -> None:
        if self._has_kinds:
            self._broker.start(self._slots.threads, self._fetched)
            self._dispatcher.start()

    def wake(self) -> None:
        self._dispatcher.wake()

    def stop_dispatching(self) -> None:
        if self._has_kinds:
            self._dispatcher.stop()

    def stop(self) -> None:
        """Return when what runs has ended, or after a few seconds."""
        self._broker.stop()

    def _todo(self) -> Todo:
        """Return this thread's connection."""
        if not hasattr(self._connections, "todo"):
            self._connections.todo = Todo(self._database_url)
        todo: Todo = self._connections.todo
        return todo

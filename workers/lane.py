"""Threads of one process with a queue of their own: prompt work does not stand behind what takes minutes."""

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from commands.bus import Bus
from commands.settings import Settings
from projections.todo import Todo
from workers.broker import QUEUE, Broker
from workers.dispatcher import Dispatcher
from workers.leases import Leases
from workers.runner import Kind, LaneName, Runner
from workers.slots import Slots
from workers.tally import Tally


class Pace(NamedTuple):
    """How short work is: how much of it waits in the queue and, fetched, in the process, for each thread; how often an
    idle process looks; how many threads there are for one of the settings'.
    """

    ahead_per_thread: int
    fetched_per_thread: int
    poll_ms: int
    threads: int = 1

    def threads_of(self, settings: Settings) -> int:
        return self.threads * settings.worker_threads


# What stands behind long work would only be kept from other processes. Marketplaces are mostly waited for.
PACES: Mapping[LaneName, Pace] = {"prompt": Pace(4, 2, 50), "long": Pace(0, 1, 500), "sync": Pace(0, 1, 100, 2)}


class Lane:
    """Runs those of `kinds` that belong to the lane of this name."""

    def __init__(
        self,
        name: LaneName,
        settings: Settings,
        kinds: Sequence[Kind],
        bus: Bus,
        leases: Leases,
        tally: Tally,
        stopping: threading.Event,
    ) -> None:
        pace = PACES[name]
        threads = pace.threads_of(settings)
        own = [kind for kind in kinds if kind.lane == name]
        self._database_url = settings.database_url
        self._connections = threading.local()
        self._broker = Broker(settings.redis_url, f"{QUEUE}.{name}", pace.poll_ms)
        self._fetched = pace.fetched_per_thread * threads
        self._slots = Slots(threads)
        self._has_kinds = bool(own)
        for kind in own:
            runner = Runner(kind, bus, self._todo, self._slots, leases, tally, stopping)
            self._broker.register(kind.name, runner.run)
        names = [kind.name for kind in own]
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

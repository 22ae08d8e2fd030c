"""Threads of one process with a queue of their own: prompt work does not stand behind what takes minutes."""

import threading
from collections.abc import Sequence

from commands.bus import Bus
from commands.settings import Settings
from projections.todo import Todo
from workers.broker import QUEUE, Broker
from workers.dispatcher import Dispatcher
from workers.leases import Leases
from workers.runner import Kind, Runner
from workers.slots import Slots
from workers.tally import Tally

AHEAD_PER_THREAD = 4


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
        is_prompt = any(kind.is_prompt for kind in kinds)
        # Short work has the next pieces at hand. Behind long work they would only be kept from other processes.
        ahead = AHEAD_PER_THREAD * settings.worker_threads if is_prompt else 0
        self._database_url = settings.database_url
        self._connections = threading.local()
        self._broker = Broker(settings.redis_url, f"{QUEUE}.{'prompt' if is_prompt else 'long'}", ahead)
        self._slots = Slots(settings.worker_threads)
        self._has_kinds = bool(kinds)
        for kind in kinds:
            runner = Runner(kind, bus, self._todo, self._slots, leases, tally, stopping)
            self._broker.register(kind.name, runner.run)
        names = [kind.name for kind in kinds]
        self._dispatcher = Dispatcher(Todo(settings.database_url), self._broker, self._slots, names, ahead)

    def start(self) -> None:
        if self._has_kinds:
            self._broker.start(self._slots.threads)
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

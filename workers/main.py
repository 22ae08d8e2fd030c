"""The workers: `python -m workers.main` runs them until SIGTERM or SIGINT."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog

from commands import logs
from commands.blobs import Blobs
from commands.bus import Bus
from commands.seals.sealer import seal_log
from commands.settings import Settings, SettingsError
from commands.store import Store
from domain.errors import DeadwaxError
from domain.ids import ASSET, IMPORT
from projections import images, imports
from projections.inline import inline_projections
from projections.todo import Todo
from workers.broker import Broker
from workers.dispatcher import Dispatcher
from workers.images import Collector, SmallSizes
from workers.imports import ImportWork
from workers.runner import Runner, Work
from workers.scheduler import Chore, Scheduler
from workers.slots import Slots

SWEEP_SECONDS = 600.0
RECEIPTS_KEPT_SECONDS = 48 * 3600
END_SECONDS = 4.5
RESTART_SECONDS = 1.0
_ONE = "--one"
_log = structlog.get_logger("worker")


def main(arguments: list[str]) -> int:
    """Run the processes that the settings ask for; a single one runs here."""
    try:
        settings = Settings.load()
        settings.require("database_url", "redis_url", "s3_endpoint_url")
        logs.configure(settings.log_format, settings.log_level)
        if _ONE in arguments:
            serve(settings, parent=os.getppid())
        elif settings.worker_processes == 1:
            serve(settings)
        else:
            serve_many(settings.worker_processes)
    except (SettingsError, DeadwaxError) as error:
        sys.stderr.write(f"deadwax: {error}\n")
        return 1
    return 0


def serve(settings: Settings, parent: int | None = None) -> None:
    """Run tasks in this process until it is told to end, or `parent` is gone."""
    stopping = _told_to_end()
    store = Store(settings.database_url, inline_projections(), pool_size=settings.worker_threads + 1)
    blobs = Blobs(settings)
    broker = Broker(settings.redis_url)
    slots = Slots(settings.worker_threads)
    bus = Bus(store)
    kinds: dict[str, tuple[str, Callable[[UUID], Work | None]]] = {
        imports.KIND: (IMPORT, partial(ImportWork.take, bus, blobs)),
        images.KIND: (ASSET, partial(SmallSizes, settings.database_url, blobs)),
    }
    for kind, (prefix, take) in kinds.items():
        broker.register(kind, Runner(settings.database_url, slots, stopping, prefix, take).run)
    broker.start(settings.worker_threads)
    dispatcher = Dispatcher(Todo(settings.database_url), broker, slots)
    dispatcher.start()
    scheduler = Scheduler(_chores(settings, store, blobs))
    scheduler.start()
    _log.info("working", threads=settings.worker_threads)
    while not stopping.wait(1.0):
        if parent is not None and os.getppid() != parent:
            stopping.set()
    # What does not end by itself is left: its lease runs out, and another worker goes on from its last batch.
    threading.Timer(END_SECONDS, os._exit, [0]).start()
    dispatcher.stop()
    scheduler.stop()
    broker.stop()
    store.close()
    blobs.close()
    _log.info("ended")
    os._exit(0)


def _chores(settings: Settings, store: Store, blobs: Blobs) -> list[Chore]:
    grace_seconds = settings.image_grace_seconds
    collector = Collector(settings.database_url, blobs, grace_seconds)

    def sweep() -> None:
        with Todo(settings.database_url) as todo:
            todo.sweep()

    return [
        Chore("leases", SWEEP_SECONDS, sweep),
        Chore("receipts", SWEEP_SECONDS, lambda: store.forget_receipts(RECEIPTS_KEPT_SECONDS)),
        Chore("seals", settings.seal_seconds, partial(seal_log, settings, blobs)),
        Chore("images", min(SWEEP_SECONDS, grace_seconds), collector.collect),
    ]


def serve_many(processes: int) -> None:
    """Keep so many processes running. Each is started afresh, none is a fork of this one."""
    stopping = _told_to_end()
    command = [sys.executable, *(["-I"] if sys.flags.isolated else []), "-u", "-m", "workers.main", _ONE]
    running = [subprocess.Popen(command) for _ in range(processes)]
    while not stopping.wait(RESTART_SECONDS):
        for position, process in enumerate(running):
            if process.poll() is not None:
                _log.error("worker process ended", pid=process.pid, status=process.returncode)
                running[position] = subprocess.Popen(command)
    for process in running:
        process.terminate()
    deadline = time.monotonic() + END_SECONDS + 0.5
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def _told_to_end() -> threading.Event:
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    return told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

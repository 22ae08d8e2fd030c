"""The workers: `python -m workers.main` runs them until SIGTERM or SIGINT."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from commands import logs
from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings, SettingsError
from commands.store import Store
from domain.errors import DeadwaxError
from projections.chores import Chores
from projections.inline import inline_projections
from projections.todo import News, Todo
from workers.chores import chores
from workers.dispatcher import Listener
from workers.kinds import Tools, kinds
from workers.lane import PACES, Lane
from workers.leases import Leases
from workers.runner import Kind
from workers.scheduler import Scheduler
from workers.tally import Tally

END_SECONDS = 4.5
RESTART_SECONDS = 1.0
_ONE = "--one"
_log = structlog.get_logger("worker")


def main(arguments: list[str]) -> int:
    """Run the processes that the settings ask for; a single one runs here."""
    try:
        settings = Settings.load()
        settings.require("database_url", "redis_url", "s3_endpoint_url", "secret_key")
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


def serve(settings: Settings, parent: int | None = None, known: Callable[[Tools], Sequence[Kind]] = kinds) -> None:
    """Run tasks of all known kinds in this process until it is told to end, or `parent` is gone."""
    stopping = _told_to_end()
    # Those at marketplaces write seldom: most of the time they wait.
    store = Store(settings.database_url, inline_projections(), pool_size=len(PACES) * settings.worker_threads + 1)
    blobs = Blobs(settings)
    tools, tally = Tools(settings, Bus(store, rate_max_age_days=settings.rate_max_age_days), blobs), Tally()
    leases = Leases(Todo(settings.database_url), stopping, tally)
    leases.start()
    found = known(tools)
    lanes = [Lane(name, settings, found, tools.bus, leases, tally, stopping) for name in PACES]
    for lane in lanes:
        lane.start()
    listener = Listener(News(settings.database_url), [lane.wake for lane in lanes])
    listener.start()
    scheduler = Scheduler(chores(tools), Chores(settings.database_url), leases)
    scheduler.start()
    _log.info("working", threads=settings.worker_threads)
    while not stopping.wait(1.0):
        if parent is not None and os.getppid() != parent:
            stopping.set()
    # What does not end by itself is left: its lease runs out, and another worker goes on from its last batch.
    threading.Timer(END_SECONDS, os._exit, [0]).start()
    listener.stop()
    for lane in lanes:
        lane.stop_dispatching()
    scheduler.stop()
    ending = [threading.Thread(target=lane.stop) for lane in lanes]
    for thread in ending:
        thread.start()
    for thread in ending:
        thread.join()
    leases.stop()
    store.close()
    blobs.close()
    _log.info("ended")
    os._exit(0)


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

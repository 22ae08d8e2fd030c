"""Engines and workers of a test's own, which it may kill, stop and start again."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.settings import Settings
from engines.program import Engine, EngineError
from tests.faults.worker import FAULT
from tests.importing import environment

KILLED = -signal.SIGKILL


@contextmanager
def worker(settings: Settings, fault: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run one worker process; it dies where `fault` says (see tests.faults.worker), at the latest with the block."""
    environ = {**environment(settings), FAULT: fault}
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.worker"], env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Machine:
    """One embedded engine in a folder of its own; `variables` lead to it."""

    def __init__(self, engine: Engine) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="deadwax-fault-"))
        self._folder.chmod(0o711)
        self._program, self.variables = engine.prepare(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        uid, gid = self._program.user or (None, None)
        self._process = subprocess.Popen(
            self._program.command,
            user=uid,
            group=gid,
            extra_groups=() if uid else None,
            cwd=self._program.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + self._program.ready_seconds
        while not self._program.ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise EngineError(f"{self._program.name} does not start")
            time.sleep(0.05)

    def stop(self, number: signal.Signals | None = None) -> None:
        assert self._process is not None
        self._process.send_signal(number or self._program.stop_signal)
        self._process.wait()

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._program.scratch is not None:
            shutil.rmtree(self._program.scratch, ignore_errors=True)


@contextmanager
def machine(engine: Engine) -> Iterator[Machine]:
    made = Machine(engine)
    try:
        yield made
    finally:
        made.remove()

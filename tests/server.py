"""The API as it runs: granian in a process of its own, behind a socket."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from commands.settings import Settings, declared

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(settings: Settings, log: Path, port: int | None = None) -> Iterator[int]:
    """Run one API process with these settings; give its port, a free one without. What it says goes to `log`."""
    settings = replace(settings, port=port or free_port(), api_processes=1)
    environment = dict(os.environ)
    for name, (_, setting) in declared().items():
        value = getattr(settings, name)
        environment[setting.variable] = ",".join(value) if isinstance(value, tuple) else str(value)
    with log.open("w") as output:
        command = (sys.executable, "-m", "api.cli", "api")
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", settings.port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield settings.port
    finally:
        process.terminate()
        process.wait(timeout=15)

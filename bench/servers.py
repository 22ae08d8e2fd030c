"""The servers under measurement: Deadwax's own API, the peers, and a handler that answers bytes from memory."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

PROCESSES = 2
SECRET = "a-secret-of-the-bench"  # noqa: S105 - of nothing
_ROOT = Path(__file__).parent.parent
_PEERS = _ROOT / ".venv" / "bench" / "bin"


class Server(NamedTuple):
    port: int
    process: psutil.Process

    def memory_bytes(self) -> int:
        """Return the resident memory of the processes that answer, without the one that watches them."""
        return sum(child.memory_info().rss for child in self.process.children(recursive=True))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def api(environment: Mapping[str, str], **settings: str) -> Iterator[Server]:
    """Run `deadwax api` as it is run everywhere, with the rate limit off and `settings` of the caller's."""
    port = free_port()
    given = {
        "DEADWAX_PORT": str(port),
        "DEADWAX_API_PROCESSES": str(PROCESSES),
        "DEADWAX_RATE_LIMIT_PER_MINUTE": "0",
        "DEADWAX_LOG_FORMAT": "json",
        "DEADWAX_SECRET_KEY": SECRET,
    }
    with _running([sys.executable, "-m", "api.cli", "api"], port, {**environment, **given, **settings}) as server:
        yield server


@contextmanager
def constant(body: bytes, folder: Path) -> Iterator[Server]:
    """Run a Litestar app whose one handler returns `body`, on the same HTTP server with the same options."""
    port = free_port()
    path = folder / "constant.json"
    path.write_bytes(body)
    with _running([sys.executable, "-m", "bench.constant", str(port), str(path)], port, {}) as server:
        yield server


@contextmanager
def drf(database_url: str) -> Iterator[Server]:
    """Run the Django REST Framework peer. One thread a process: more of them only take the interpreter in turns."""
    port = free_port()
    command = [
        *(_tool("granian"), "--interface", "wsgi", "--workers", str(PROCESSES), "--blocking-threads", "1"),
        *("--port", str(port), "--log-level", "warning", "bench.peers.drf.wsgi:application"),
    ]
    with _running(command, port, {"PEER_DATABASE_URL": database_url}) as server:
        yield server


@contextmanager
def fastapi(database_url: str) -> Iterator[Server]:
    """Run the FastAPI peer."""
    port = free_port()
    command = [
        *(_tool("uvicorn"), "--workers", str(PROCESSES), "--loop", "uvloop", "--http", "httptools"),
        *("--port", str(port), "--log-level", "warning", "--no-access-log", "bench.peers.fastapi.app:app"),
    ]
    with _running(command, port, {"PEER_DATABASE_URL": database_url}) as server:
        yield server


def _tool(name: str) -> str:
    return str(_PEERS / name)


@contextmanager
def _running(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        command, cwd=_ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not answer")
            time.sleep(0.1)
        time.sleep(1.0)
        yield Server(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()

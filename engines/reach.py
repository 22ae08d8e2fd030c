"""How a process comes to its engines: those given by URL, those a supervisor runs, or its own for a while."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from urllib.parse import SplitResult, unquote, urlsplit

from commands.settings import Settings
from engines.folder import published
from engines.lifeline import tied
from engines.program import EngineError
from engines.sockets import accepts

_PORTS = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}
_PATIENCE_SECONDS = 60.0


@contextmanager
def reached(settings: Settings, *needs: str) -> Iterator[Settings]:
    """Give `settings` with the URLs filled in that `needs` names (none named: all of them).

    What is not given by URL is taken from the supervisor of the data folder; where none runs, the
    embedded engines run for as long as the block. Raises EngineError.
    """
    require_reachable(settings)
    if all(getattr(settings, name) for name in needs or ("database_url", "redis_url", "s3_endpoint_url")):
        yield settings
        return
    environment = published(settings.data)
    if environment is not None:
        yield settings.replaced(environment)
        return
    with engines_of(settings.data) as environment:
        yield settings.replaced(environment)


@contextmanager
def engines_of(data: Path) -> Iterator[dict[str, str]]:
    """Run the embedded engines of the folder in a process of their own; give the variables that lead to them."""
    command = (sys.executable, "-I", "-m", "engines", str(data.absolute()))
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "engines.log").open("w+") as log:
        process = subprocess.Popen(tied(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _wait(process, data, log)
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], data: Path, log: TextIO) -> dict[str, str]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        environment = published(data)
        if environment is not None:
            return environment
        if process.poll() is not None:
            log.seek(0)
            lines = log.read().strip().splitlines()
            raise EngineError(lines[-1] if lines else "the embedded engines did not start")
        time.sleep(0.02)
    raise EngineError(f"the embedded engines do not answer after {_PATIENCE_SECONDS:.0f} s")


def require_reachable(settings: Settings) -> None:
    """Raise EngineError for the first engine given by URL where nothing accepts a connection."""
    given = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "S3_ENDPOINT_URL": settings.s3_endpoint_url,
    }
    for variable, url in given.items():
        address = _address(urlsplit(url)) if url else None
        if address is None:
            continue
        if not accepts(address, timeout_seconds=5.0):
            where = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
            raise EngineError(f"{variable}: nothing answers at {where}")


def _address(url: SplitResult) -> str | tuple[str, int] | None:
    """Return a socket path or (host, port); None where the URL says it in a way of the driver's own."""
    if url.scheme == "unix":
        return unquote(url.path)
    if not url.hostname or "," in url.netloc:
        return None
    return url.hostname, url.port or _PORTS.get(url.scheme) or (443 if url.scheme == "https" else 80)

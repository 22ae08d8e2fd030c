"""The data folder: one supervisor at a time, who runs in it, and the end of what a dead supervisor left."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.program import EngineError

_RUNNING, _ENVIRONMENT = "running.json", "environment.json"


@contextmanager
def held(folder: Path, patience_seconds: float = 1.0) -> Iterator[None]:
    """Make `folder` and hold it; the kernel lets go of it whenever this process ends. Raises EngineError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EngineError(f"DEADWAX_DATA: cannot use {folder}: {error.strerror}") from None
    deadline = time.monotonic() + patience_seconds
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EngineError(f"DEADWAX_DATA: {folder} is in use by another `deadwax serve`") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)


def is_held(folder: Path) -> bool:
    """Tell whether a supervisor runs in `folder`."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def publish(folder: Path, environment: dict[str, str]) -> None:
    """Tell other processes of this user how the engines of `folder` are reached."""
    write_private(folder / _ENVIRONMENT, environment)


def published(folder: Path) -> dict[str, str] | None:
    """Return the variables that lead to the running engines; None when none run."""
    try:
        environment: dict[str, str] = json.loads((folder / _ENVIRONMENT).read_text())
    except (FileNotFoundError, PermissionError):
        return None
    return environment if is_held(folder) else None


def unpublish(folder: Path) -> None:
    for name in (_ENVIRONMENT, _RUNNING):
        (folder / name).unlink(missing_ok=True)


class Running:
    """The processes under the supervisor, on disk, for the one that comes after it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _RUNNING
        self._processes: dict[str, tuple[int, str]] = {}

    def add(self, name: str, pid: int) -> None:
        self._processes[name] = (pid, _started(pid) or "")
        write_private(self._path, self._processes)

    def end_leftovers(self, patience_seconds: float = 3.0) -> list[str]:
        """End what a supervisor that was killed left running; return the names of what had not ended by itself."""
        try:
            left: dict[str, tuple[int, str]] = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return []
        names = [name for name, (pid, started) in left.items() if started and _started(pid) == started]
        alive = {left[name][0] for name in names}
        for pid in alive:
            _send(pid, signal.SIGINT)  # a fast, clean end for PostgreSQL; the others heed it too
        deadline = time.monotonic() + patience_seconds
        while alive and time.monotonic() < deadline:
            time.sleep(0.05)
            alive = {pid for pid in alive if _started(pid)}
        for pid in alive:
            _send(pid, signal.SIGKILL)
        for pid, started in left.values():
            # Of a group whose leader is gone the number cannot have been given away again.
            if _started(pid) in (None, started):
                end_group(pid)
        self._path.unlink(missing_ok=True)
        return names


def end_group(pid: int) -> None:
    """Kill what is left of the process group that `pid` led."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _started(pid: int) -> str | None:
    """Return when `pid` started, in the system's own words; None when there is no such process (or a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or None
    return None if fields[0] in "ZX" else fields[19]


def write_private(path: Path, content: object) -> None:
    """Replace the file by `content` as JSON, whole or not at all, readable by this user alone."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - Path.open has no opener for the mode
        json.dump(content, file)
    fresh.replace(path)

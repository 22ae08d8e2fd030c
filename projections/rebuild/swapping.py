"""The moment in which tables take the live ones' place: bounded, whatever happens in it."""

import random
import time
from typing import NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier

from domain.errors import Conflict
from projections.rebuild import schema as schemas
from projections.rebuild.filling import Told
from projections.rebuild.progress import Notes, Stage
from projections.rebuild.run import Run
from projections.version import live_version, note

BUDGET_MS = 200
"""No writer waits longer. What is not done in the first of these is undone, and tried again; the rest is for that."""
_WORK_MS = 140
_LOCK_MS = 60
_FOLLOW_UNTIL = 100
"""Objects left to catch up with at which it begins: well within its time."""
_PATIENCE_SECONDS = 120.0
SWAPPING = "Swapping"


class Swapped(NamedTuple):
    """`position` is up to where the tables tell the log; `locked_ms` is for how long whoever wrote waited at worst."""

    position: int
    locked_ms: float
    attempts: int


class _Late(Exception):
    """It takes longer than anybody is to wait."""


class Swap:
    """Puts a schema's tables in the live ones' place. Those are kept, in place of ones that were kept before."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._connection = run.connection
        self._projection = run.projection
        self._schema = run.schema

    def run(self, told: Told, *, keep: bool = True) -> Swapped:
        """Raises Conflict where it found no moment within a minute, UnfoldableEvent; then all is as it was."""
        name = self._projection.name
        schemas.drop(self._connection, schemas.gone_schema(name))
        schemas.give_rights(self._connection, self._projection, self._schema)
        until = time.monotonic() + _PATIENCE_SECONDS
        attempts = 0
        while True:
            self._come_close(told, until)
            attempts += 1
            told(SWAPPING, 0, 1)
            try:
                locked_ms, position = self.exchange()
                break
            except (
                psycopg.errors.LockNotAvailable,
                psycopg.errors.QueryCanceled,
                psycopg.errors.DeadlockDetected,
                _Late,
            ) as error:
                if time.monotonic() > until:
                    raise Conflict("The new tables found no moment to take the live ones' place.") from error
                time.sleep(random.uniform(0.05, 0.3))  # noqa: S311 - jitter
        told(SWAPPING, 1, 1)
        schemas.drop(self._connection, schemas.gone_schema(name))
        if self._schema != schemas.kept_schema(name):
            schemas.drop(self._connection, self._schema)
        if not keep:
            schemas.drop(self._connection, schemas.kept_schema(name))
        return Swapped(position, locked_ms, attempts)

    def _come_close(self, told: Told, until: float) -> None:
        """Catch up until what is left is little."""
        while self._run.follow(told) > _FOLLOW_UNTIL:
            if time.monotonic() > until:
                raise Conflict("More is written than the new tables can catch up with.")

    def exchange(self) -> tuple[float, int]:
        """Catch up with the last writes and exchange the tables, while nobody writes; return milliseconds, position."""
        connection, projection = self._connection, self._projection
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '5s'")
            # Wait where autovacuum has the live tables: it gives way to who waits longer than a second, and this lock
            # stands in nobody else's way.
            connection.execute(schemas.lock(projection, "SHARE UPDATE EXCLUSIVE"))
            # Who waits does not wait for the disk: what comes after this, at the latest its clearing up, does.
            connection.execute("SET LOCAL synchronous_commit = off")
            connection.execute(f"SET LOCAL statement_timeout = {_LOCK_MS}".encode())
            started = time.monotonic()
            connection.execute(schemas.shut(projection))
            connection.execute(f"SET LOCAL statement_timeout = {_left(started)}".encode())
            if self._run.follow() > 2 * _FOLLOW_UNTIL:
                raise _Late
            connection.execute(f"SET LOCAL statement_timeout = {_left(started)}".encode())
            position = self._run.progress().position
            self._put(position)
            _left(started)
        return (time.monotonic() - started) * 1000, position

    def _put(self, position: int) -> None:
        connection, projection, source = self._connection, self._projection, self._schema
        kept, gone = (schemas.kept_schema(projection.name), schemas.gone_schema(projection.name))
        version = live_version(connection, projection.name)
        checked = self._run.progress().checked
        if connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", [kept]).fetchone() == (True,):
            connection.execute(SQL("ALTER SCHEMA {} RENAME TO {}").format(Identifier(kept), Identifier(gone)))
            source = gone if source == kept else source
        connection.execute(schemas.exchange(projection, source, kept=kept))
        note(connection, projection.name, projection.version, position)
        connection.execute(SQL("SET LOCAL search_path = {}, public").format(Identifier(kept)))
        notes = Notes(connection)
        notes.create(version, position)
        notes.reach(position, checked)
        notes.enter(Stage.READY)


def _left(started: float) -> int:
    """Return how many milliseconds are left. Raises _Late."""
    left = _WORK_MS - int((time.monotonic() - started) * 1000)
    if left <= 0:
        raise _Late
    return left

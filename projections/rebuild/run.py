"""The steps of making a projection's tables anew; each can be broken off anywhere and gone on with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from domain.errors import Conflict, DeadwaxError, Unavailable, UnfoldableEvent
from projections.rebuild import schema as schemas
from projections.rebuild.comparing import Comparison, Verified
from projections.rebuild.filling import Told, Work, connect, fill
from projections.rebuild.progress import Notes, Progress, Stage
from projections.rebuild.projection import Projection

LOCK = 0x64656165
_TURN_SECONDS = 2
_EVENTS_A_SHARE = 25_000
_SHARES_PER_PROCESS = 8
"""Enough that processes that start late or run slower end with the others."""
_MOST_SHARES = 1_000
_POSITIONS_AT_ONCE = 5_000
"""The log is followed in parts of so many positions, each in a transaction."""
INDEXING = "Indexing"
FOLLOWING = "Catching up"


class NothingThere(DeadwaxError):
    """There are no tables that are whole: `deadwax projections status` tells what there is."""


@contextmanager
def alone(database_url: str, schema: str) -> Iterator[Connection[Any]]:
    """Give a connection while nobody else rebuilds anything. Raises Conflict, Unavailable."""
    try:
        with connect(database_url, schema, autocommit=True) as connection:
            try:
                # One that was killed has it until the server notices.
                connection.execute(f"SET lock_timeout = '{_TURN_SECONDS}s'".encode())
                connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
                connection.execute("RESET lock_timeout")
            except psycopg.errors.LockNotAvailable:
                raise Conflict("Another rebuild is under way.") from None
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error


class Run:
    """Works on the tables of one schema. With `park` objects that cannot be folded keep the rows that they have."""

    def __init__(
        self, connection: Connection[Any], database_url: str, projection: Projection, schema: str, *, park: bool
    ) -> None:
        self.connection = connection
        self._url = database_url
        self.projection = projection
        self.schema = schema
        self._park = park
        self.notes = Notes(connection)

    def progress(self) -> Progress:
        found = self.notes.progress(self.schema)
        assert found is not None
        return found

    def begin(self, processes: int, *, anew: bool) -> bool:
        """Make empty tables, or go on with those that are there; return whether there were any that could be."""
        found = self.notes.progress(self.schema)
        if not anew and found is not None and self._fits(found):
            self.projection.prepare(self.connection, found.position, found.stage == Stage.FILLING)
            self._try_again()
            return True
        schemas.drop(self.connection, self.schema)
        with self.connection.transaction():
            # What comes between this position and the snapshot is in both: to fold it again later does no harm.
            position = self.newest()
            schemas.create(self.connection, self.projection, self.schema)
            self.notes.create(self.projection.version, position)
            self.projection.prepare(self.connection, position, True)
            count = max(processes * _SHARES_PER_PROCESS, min(_MOST_SHARES, position // _EVENTS_A_SHARE))
            self.notes.add_shares(self.projection.cut(self.connection, count))
        return False

    def _fits(self, found: Progress) -> bool:
        is_like_live = schemas.has_form_of_live(self.connection, self.projection, self.schema)
        return found.version == self.projection.version and is_like_live

    def go_on(self) -> None:
        """Make what following wants beside tables that are whole.

        Raises NothingThere where they are not, or are of a form that this code does not write.
        """
        found = self.notes.progress(self.schema)
        if found is None or found.stage != Stage.READY:
            raise NothingThere
        if not self._fits(found):
            raise NothingThere(
                f"The tables are of form {found.version}, which this version of Deadwax does not write"
                f" (it writes form {self.projection.version})."
            )
        self.projection.prepare(self.connection, found.position, False)
        self._try_again()

    def _try_again(self) -> None:
        """Fold again what could not be folded: this may be a version that can."""
        with self.connection.transaction():
            if objects := self.notes.forget_aside():
                position = self.progress().position
                self._write(objects, position, position)

    def fill(self, processes: int, told: Told) -> None:
        """Fill the tables. Raises UnfoldableEvent, after which they can be gone on with."""
        if self.progress().stage == Stage.FILLING:
            name, schema = self.projection.name, self.schema
            fill(
                self.connection,
                lambda snapshot, stopping: Work(self._url, name, schema, snapshot, self._park, stopping),
                processes,
                told,
            )
            self.notes.enter(Stage.INDEXING)

    def index(self, told: Told) -> None:
        if self.progress().stage == Stage.INDEXING:
            told(INDEXING, 0, 1)
            schemas.index(self.connection, self._url, self.projection, self.schema)
            with self.connection.transaction():
                self._adopt_all()
                self.notes.enter(Stage.READY)
            told(INDEXING, 1, 1)

    def index_keys(self, told: Told) -> None:
        told(INDEXING, 0, 1)
        schemas.index_keys(self.connection, self._url, self.projection, self.schema)
        self._adopt_all()
        told(INDEXING, 1, 1)

    def _adopt_all(self) -> None:
        """Write what is not in the log."""
        checked = self.projection.adopt(self.connection, None, None)
        self.notes.reach(self.progress().position, checked)

    def follow(self, told: Told = lambda *_: None) -> int:
        """Fold again what moved since the tables were last at the log's end; return how many objects that were.

        Raises UnfoldableEvent.
        """
        first = position = self.progress().position
        newest = self.newest()
        moved = 0
        while True:
            until = min(newest, position + _POSITIONS_AT_ONCE)
            told(FOLLOWING, position - first, newest - first)
            moved += self.follow_to(position, until)
            position = until
            if position >= newest:
                told(FOLLOWING, newest - first, newest - first)
                return moved

    def follow_to(self, position: int, until: int) -> int:
        with self.connection.transaction():
            moved = self.projection.moved(self.connection, position, until)
            if moved or until > position:
                self._write(moved, position, until)
            checked = self.projection.adopt(self.connection, self.progress().checked, moved)
            self.notes.reach(until, checked)
        return len(moved)

    def _write(self, moved: list[Any], after: int, until: int) -> None:
        aside = {found.object for found in self.notes.aside()}
        while True:
            try:
                with self.connection.transaction():
                    self.projection.follow(self.connection, moved, after, until, aside)
                break
            except UnfoldableEvent as error:
                if not self._park:
                    raise
                object = self.projection.object_of(self.connection, error.stream)
                self.notes.put_aside(object, error)
                aside.add(object)
        if kept := [object for object in moved if object in aside]:
            self.projection.take_over(self.connection, kept)

    def compare(self, processes: int, told: Told) -> Verified:
        self.follow(told)
        count = max(processes * _SHARES_PER_PROCESS, min(_MOST_SHARES, self.newest() // _EVENTS_A_SHARE))
        parts = self.projection.cut(self.connection, count)
        compared = Comparison(self.connection, self.projection, self.schema, self.follow).run(parts, told)
        return Verified(self.projection.name, compared, self.notes.aside())

    def newest(self) -> int:
        row = self.connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
        assert row is not None
        return int(row[0])

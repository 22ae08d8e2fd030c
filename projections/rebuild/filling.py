"""Filling of new tables from one snapshot of the log: several processes, each the next share as it is done with one."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import Connection

from domain.errors import UnfoldableEvent
from projections.rebuild.known import find
from projections.rebuild.progress import Notes, Share
from projections.rebuild.projection import Projection
from projections.rebuild.schema import look_into
from projections.rebuild.source import Source

Told = Callable[[str, int, int], None]
"""What is told of the work: what is being done, how much of it is done, and how much there is."""
FILLING = "Filling"
_OPTIONS = "-c client_connection_check_interval=500ms"


class Work(NamedTuple):
    """What the processes share. With `park` what cannot be folded is put aside instead of ending it all."""

    database_url: str
    name: str
    schema: str
    snapshot: str
    park: bool
    stopping: Event


def connect(database_url: str, schema: str, *, autocommit: bool = False) -> Connection[Any]:
    """Return a connection that finds the tables of the schema before the live ones, once they are there."""
    connection = psycopg.connect(
        database_url, autocommit=autocommit, application_name="deadwax rebuild", options=_OPTIONS
    )
    look_into(connection, schema)
    if not autocommit:
        connection.commit()
    return connection


class Filling:
    """One process's part of the work."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._projection: Projection = find(work.name)

    def run(self, told: Callable[[], None] = lambda: None) -> None:
        """Fill shares for as long as there are any that nobody is at. Raises UnfoldableEvent."""
        work = self._work
        with ExitStack() as open:
            source = open.enter_context(Source(work.database_url, work.snapshot, work.schema))
            writer = open.enter_context(connect(work.database_url, work.schema))
            writer.execute("SET synchronous_commit = off")
            # The new tables have no statistics, and of indexes only those that what belongs together is found by.
            writer.execute("SET enable_seqscan = off")
            writer.commit()
            try:
                while not work.stopping.is_set() and self.go_on(source, writer):
                    told()
            except BaseException:
                work.stopping.set()
                raise

    def go_on(self, source: Source, writer: Connection[Any]) -> bool:
        """Fill the next share, in a transaction that also notes that it is done; return False where all are."""
        notes = Notes(writer)
        share = notes.take() or notes.take(wait=True)
        if share is not None:
            self.fill(source, writer, share)
        is_left = share is not None or notes.undone() > 0
        writer.commit()
        return is_left

    def fill(self, source: Source, writer: Connection[Any], share: Share) -> None:
        notes = Notes(writer)
        aside: set[UUID] = set()
        while True:
            try:
                with writer.transaction():
                    filled = self._projection.fill(source, writer, share.bounds, aside)
                break
            except UnfoldableEvent as error:
                if not self._work.park:
                    raise
                source.reset()
                object = self._projection.object_of(writer, error.stream)
                notes.put_aside(object, error)
                aside.add(object)
        if aside:
            self._projection.take_over(writer, list(aside))
        notes.done(share, filled)


_work: Work


def _join(work: Work) -> None:
    """Hand a new process what it works on: what tells it to stop passes only to a process that is being started."""
    global _work  # noqa: PLW0603
    _work = work
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """What a rebuild that was killed leaves of a share goes with its transaction."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _fill_joined() -> None:
    Filling(_work).run()


def fill(connection: Connection[Any], work: Callable[[str, Event], Work], processes: int, told: Told) -> None:
    """Fill all shares that are not done. `work` says with which, given a snapshot. Raises UnfoldableEvent."""
    context = multiprocessing.get_context("spawn")
    notes = Notes(connection)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        shared = work(row[0], context.Event())
        _, left = _counted(shared, notes)
        if not left:
            return

        with psycopg.connect(shared.database_url, autocommit=True) as counting:
            look_into(counting, shared.schema)

            def tell() -> None:
                total, left = _counted(shared, Notes(counting))
                told(FILLING, total - left, total)

            tell()
            with ProcessPoolExecutor(max(1, processes - 1), context, _join, (shared,)) as pool:
                others = [pool.submit(_fill_joined) for _ in range(min(processes - 1, left - 1))]
                # This process has imported what it takes and begins at once, while the others start.
                Filling(shared).run(tell)
                for other in others:
                    other.result()
            tell()


def _counted(work: Work, notes: Notes) -> tuple[int, int]:
    progress = notes.progress(work.schema)
    assert progress is not None
    return progress.shares, progress.shares - progress.shares_done

"""Rebuild of the catalogue's tables from the log, beside the live ones, which are read and written meanwhile.

New tables, in a schema of their own that comes first in the search path, are filled from one snapshot of the log by
several processes, this one among them, each folding the next share of the products as it is done with one; then they
get their indexes, catch up with what was written since, and take the old ones' place under a short lock.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from multiprocessing.sharedctypes import Synchronized
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import Connection, sql

from domain.errors import Conflict
from projections.base import queries
from projections.copying import Copying
from projections.replay import Replay
from projections.version import note

TABLES = ("product_list", "product_document", "inventory_list", "presence_list")
"""What a rebuild makes from the log: no backup needs their rows."""

_SQL = queries("rebuild")
_LOCK = 0x64656165
_STREAM_ROWS = 2000
_SHARES_PER_PROCESS = 8
"""Enough that processes that start late or run slower end with the others."""
_CATCH_UP_UNTIL = 100
"""Products left to catch up with at which the swap begins: well within its lock."""
_SWAP_ATTEMPTS = 20


class Rebuilt(NamedTuple):
    """What a rebuild did: events folded and products written, and the log position that the tables start from."""

    events: int
    products: int
    position: int


class _Work(NamedTuple):
    """What the processes share: the products' bounds (from the first up to the second, which is left out; None for no
    bound) as of a snapshot, whether any has kin, how many of these shares are taken, and how many are done.
    """

    database_url: str
    snapshot: str
    bounds: list[tuple[UUID | None, UUID | None]]
    has_kin: bool
    taken: "Synchronized[int]"
    done: "Synchronized[int]"

    def shares(self) -> Iterator[dict[str, UUID | None]]:
        """Yield shares that no other process has, for as long as there are any."""
        while True:
            with self.taken.get_lock():
                turn = self.taken.value
                self.taken.value += 1
            if turn >= len(self.bounds):
                return
            first, last = self.bounds[turn]
            yield {"first": first, "last": last}
            with self.done.get_lock():
                self.done.value += 1

    def stop(self) -> None:
        self.taken.value = len(self.bounds)


def _connect(database_url: str, *, autocommit: bool = False) -> Connection[Any]:
    """Return a connection that finds the new tables before the live ones, once they are there."""
    connection = psycopg.connect(database_url, autocommit=autocommit)
    connection.execute("SET search_path = rebuilt, public")
    return connection


def _reader(work: _Work) -> Connection[Any]:
    reader = psycopg.connect(work.database_url)
    reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(work.snapshot))
    reader.execute("SET LOCAL search_path = rebuilt, public")
    reader.execute("SET LOCAL enable_sort = off")
    return reader


def _fill(work: _Work, told: Callable[[int, int], None] = lambda _done, _total: None) -> tuple[int, int]:
    """Fold shares of the products into the new tables; return (events, products)."""
    events = 0
    with ExitStack() as connections:
        reader = connections.enter_context(_reader(work))
        kin_reader = connections.enter_context(_reader(work)) if work.has_kin else None
        writer = connections.enter_context(_connect(work.database_url))
        writer.execute("SET LOCAL synchronous_commit = off")
        # The new tables have no statistics, and of indexes only those that the families are found by.
        writer.execute("SET LOCAL enable_seqscan = off")
        copying = Copying(writer)
        try:
            for share in work.shares():
                replay = Replay(
                    _stream(reader, "product_events", share),
                    _stream(kin_reader, "kin_events", share) if kin_reader is not None else (),
                )
                for family in replay:
                    copying.add(family)
                events += replay.events
                told(work.done.value, len(work.bounds))
        except BaseException:
            work.stop()
            raise
        copying.flush()
    return events, copying.products


def _stream(reader: Connection[Any], name: str, share: dict[str, UUID | None]) -> Iterator[Any]:
    return reader.cursor().stream(_SQL[name], share, binary=True, size=_STREAM_ROWS)


_work: _Work


def _join(work: _Work) -> None:
    """Hand a new process what it works on: shared counters pass only to a process that is being started."""
    global _work  # noqa: PLW0603
    _work = work


def _fill_joined() -> tuple[int, int]:
    return _fill(_work)


def rebuild(
    database_url: str, processes: int = 2, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Rebuilt:
    """Rebuild the catalogue's tables. `progress` is told (shares done, shares).

    Raises UnfoldableEvent with the stream and position, and leaves the live tables as they were; Conflict where another
    rebuild runs or the swap found no moment for its lock.
    """
    with _connect(database_url, autocommit=True) as connection:
        if not _one(connection, "SELECT pg_try_advisory_lock(%s)", _LOCK):
            raise Conflict("Another rebuild is under way.")
        connection.execute(_SQL["drop_new"])
        connection.execute(_SQL["create_new"])
        try:
            rebuilt = _fill_all(connection, database_url, processes, progress)
            _index(connection, database_url)
            _swap(connection, rebuilt.position)
        finally:
            connection.execute(_SQL["drop_new"])
        return rebuilt


def _one(connection: Connection[Any], statement: str, *values: Any) -> Any:
    row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else None


def _newest(connection: Connection[Any]) -> int:
    return int(_one(connection, "SELECT coalesce(max(notification_id), 0) FROM events"))


def _fill_all(
    connection: Connection[Any], database_url: str, processes: int, progress: Callable[[int, int], None]
) -> Rebuilt:
    # What comes between this position and the snapshot is in both: to fold it again later does no harm.
    position = _newest(connection)
    has_kin = connection.execute(_SQL["find_kin"], {"after": 0, "until": position}).rowcount > 0
    connection.execute(_SQL["index_kin"])
    connection.execute("ANALYZE kin")
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        snapshot = _one(connection, "SELECT pg_export_snapshot()")
        count = processes * _SHARES_PER_PROCESS
        edges: list[UUID] = [row[0] for row in connection.execute(_SQL["edges"], {"count": count})]
        bounds = list(pairwise([None, *edges, None]))
        context = multiprocessing.get_context("spawn")
        work = _Work(database_url, snapshot, bounds, has_kin, context.Value("i", 0), context.Value("i", 0))
        with ProcessPoolExecutor(max(1, processes - 1), context, _join, (work,)) as pool:
            others = [pool.submit(_fill_joined) for _ in range(processes - 1)]
            # This process has imported what it takes and begins at once, while the others start.
            parts = [_fill(work, progress), *(other.result() for other in others)]
        progress(len(bounds), len(bounds))
    return Rebuilt(sum(events for events, _ in parts), sum(products for _, products in parts), position)


def _index(connection: Connection[Any], database_url: str) -> None:
    """Give the new tables the live ones' keys and indexes."""
    definitions = [row[0] for row in connection.execute(_SQL["index_definitions"])]
    search = [definition for definition in definitions if " USING gin " in definition]
    others = [definition for definition in definitions if definition not in search]
    # Side by side: the words, with a worker, take somewhat longer than all the others one after the other.
    with ThreadPoolExecutor() as pool:
        for built in (pool.submit(_create, database_url, search, 1), pool.submit(_create, database_url, others, 0)):
            built.result()
    connection.execute(_SQL["keys_of_new"])


def _create(database_url: str, definitions: list[str], workers: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '128MB'")
        connection.execute(f"SET max_parallel_maintenance_workers = {workers}".encode())
        for definition in definitions:
            connection.execute(definition.encode())


def _swap(connection: Connection[Any], position: int) -> None:
    while True:
        moved, position = _catch_up(connection, position)
        if moved <= _CATCH_UP_UNTIL:
            break
    for _ in range(_SWAP_ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '5s'")
                connection.execute(_SQL["yield"])
                connection.execute("SET LOCAL lock_timeout = '200ms'")
                connection.execute(_SQL["shut"])
                _catch_up(connection, position)
                connection.execute(_SQL["exchange"])
                note(connection)
        except psycopg.errors.LockNotAvailable:
            continue
        else:
            return
    raise Conflict("The rebuilt tables found no moment to take the live ones' place; those are as they were.")


def _catch_up(connection: Connection[Any], position: int) -> tuple[int, int]:
    """Fold again what was written after `position`; return how many products that moved, and the new position."""
    span = {"after": position, "until": _newest(connection)}
    connection.execute(_SQL["find_kin"], span)
    moved = {"ids": [row[0] for row in connection.execute(_SQL["moved"], span)]}
    with connection.transaction():
        connection.execute(_SQL["forget"], moved)
        products = connection.cursor(binary=True).execute(_SQL["events_of"], moved).fetchall()
        kin = connection.cursor(binary=True).execute(_SQL["kin_events_of"], moved).fetchall()
        copying = Copying(connection)
        for family in Replay(products, kin):
            copying.add(family)
        copying.flush()
    return len(moved["ids"]), span["until"]

"""Rebuild of `product_list` from the log, beside the live one, which is read and written meanwhile.

A new table is filled from one snapshot of the log by several processes, this one among them, each folding the next
share of the streams as it is done with one; then the table gets its indexes, catches up with what was written since,
and takes the old one's name under a short lock.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import groupby, pairwise
from multiprocessing.sharedctypes import Synchronized
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import Connection, Copy, sql

from domain.errors import Conflict, DeadwaxError
from domain.event import DomainEvent
from domain.product.product import Product, fold
from domain.vocabulary import EVENTS
from projections.base import queries
from projections.product import product_row

_SQL = queries("rebuild")
_LOCK = 0x64656165
_STREAM_ROWS = 2000
_LINES = 64
"""Lines that go to COPY in one write."""
_SHARES_PER_PROCESS = 8
"""Enough that processes that start late or run slower end with the others."""
_CATCH_UP_UNTIL = 100
"""Streams left to catch up with at which the swap begins: well within its lock."""
_SWAP_ATTEMPTS = 20


class UnfoldableEvent(DeadwaxError):
    """An event of the log cannot be folded."""


class Rebuilt(NamedTuple):
    """What a rebuild did: events folded and products written, and the log position that the table starts from."""

    events: int
    products: int
    position: int


class _Work(NamedTuple):
    """What the processes share: the streams' bounds (from the first up to the second, which is left out; None for no
    bound) as of a snapshot, how many of these shares are taken, and how many are done.
    """

    database_url: str
    snapshot: str
    bounds: list[tuple[UUID | None, UUID | None]]
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


_decoders: dict[str, Callable[[bytes], DomainEvent]] = {
    topic: msgspec.json.Decoder(event).decode for topic, event in EVENTS.items() if topic.startswith("product.")
}


def _decode(id: bytes, rows: Iterable[tuple[bytes, str, bytes, int]]) -> Iterator[DomainEvent]:
    for _, topic, state, position in rows:
        try:
            yield _decoders[topic](state)
        except (KeyError, msgspec.MsgspecError) as error:
            stream = UUID(bytes=id)
            raise UnfoldableEvent(f"Event {position} of stream {stream} ({topic}) cannot be folded: {error}") from error


def _escaped(text: str | None) -> str:
    if text is None:
        return "\\N"
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _line(product: Product) -> str:
    """Return the product's row in COPY's text format. Written by hand instead of by eighteen adapters."""
    id, organization, revision, type, title, artist, created, updated, price, tags, search, document = product_row(
        product
    )
    return "\t".join(
        (
            id.hex,
            organization.hex,
            str(revision),
            type,
            _escaped(title),
            _escaped(artist),
            str(created),
            str(updated),
            _escaped(None if price is None else str(price)),
            _escaped(tags),
            # Neither a vector's words nor JSON text hold white space other than blanks.
            search.replace("\\", "\\\\"),
            document.replace("\\", "\\\\"),
            "0\t0\t0\tf\tf\t{}\n",
        )
    )


class _Lines:
    """Writes products to a COPY, many lines at a time."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._lines: list[str] = []
        self.written = 0

    def add(self, product: Product) -> None:
        self._lines.append(_line(product))
        if len(self._lines) == _LINES:
            self.flush()

    def flush(self) -> None:
        self._copy.write("".join(self._lines))
        self.written += len(self._lines)
        self._lines.clear()


def _fill(work: _Work, told: Callable[[int, int], None] = lambda _done, _total: None) -> tuple[int, int]:
    """Fold shares of the streams into the new table; return (events, products)."""
    events = 0
    with psycopg.connect(work.database_url) as reader, psycopg.connect(work.database_url) as writer:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(work.snapshot))
        reader.execute("SET LOCAL enable_sort = off")
        writer.execute("SET LOCAL synchronous_commit = off")
        with writer.cursor() as cursor, cursor.copy(_SQL["fill"]) as copy:
            lines = _Lines(copy)
            try:
                for share in work.shares():
                    rows = reader.cursor().stream(_SQL["product_events"], share, binary=True, size=_STREAM_ROWS)
                    for id, stream in groupby(rows, itemgetter(0)):
                        found = list(stream)
                        events += len(found)
                        if (product := fold(_decode(id, found))) is not None:
                            lines.add(product)
                    told(work.done.value, len(work.bounds))
            except BaseException:
                work.stop()
                raise
            lines.flush()
    return events, lines.written


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
    """Rebuild the product list. `progress` is told (shares done, shares).

    Raises UnfoldableEvent with the stream and position, and leaves the live table as it was; Conflict where another
    rebuild runs or the swap found no moment for its lock.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        if not _one(connection, "SELECT pg_try_advisory_lock(%s)", _LOCK):
            raise Conflict("Another rebuild is under way.")
        connection.execute(_SQL["drop_next"])
        connection.execute(_SQL["create_next"])
        try:
            rebuilt = _fill_all(connection, database_url, processes, progress)
            _index(connection, database_url)
            _swap(connection, rebuilt.position)
        finally:
            connection.execute(_SQL["drop_next"])
        return rebuilt


def _one(connection: Connection[Any], statement: str, *values: Any) -> Any:
    row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else None


def _fill_all(
    connection: Connection[Any], database_url: str, processes: int, progress: Callable[[int, int], None]
) -> Rebuilt:
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        snapshot = _one(connection, "SELECT pg_export_snapshot()")
        position = _one(connection, "SELECT coalesce(max(notification_id), 0) FROM events")
        count = processes * _SHARES_PER_PROCESS
        edges: list[UUID] = [row[0] for row in connection.execute(_SQL["edges"], {"count": count})]
        bounds = list(pairwise([None, *edges, None]))
        context = multiprocessing.get_context("spawn")
        work = _Work(database_url, snapshot, bounds, context.Value("i", 0), context.Value("i", 0))
        with ProcessPoolExecutor(max(1, processes - 1), context, _join, (work,)) as pool:
            others = [pool.submit(_fill_joined) for _ in range(processes - 1)]
            # This process has imported what it takes and begins at once, while the others start.
            parts = [_fill(work, progress), *(other.result() for other in others)]
        progress(len(bounds), len(bounds))
    return Rebuilt(sum(events for events, _ in parts), sum(products for _, products in parts), position)


def _index(connection: Connection[Any], database_url: str) -> None:
    """Give the new table the live one's key and indexes."""
    definitions = [row[0] for row in connection.execute(_SQL["index_definitions"])]
    search = [definition for definition in definitions if " USING gin " in definition]
    others = [definition for definition in definitions if definition not in search]
    # Side by side: the words, with a worker, take somewhat longer than all the others one after the other.
    with ThreadPoolExecutor() as pool:
        for built in (pool.submit(_create, database_url, search, 1), pool.submit(_create, database_url, others, 0)):
            built.result()
    connection.execute(_SQL["key_of_next"])
    connection.execute("ANALYZE product_list_next")


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
                # Autovacuum gives way to who waits longer than a second; this lock stands in nobody else's way.
                connection.execute("SET LOCAL lock_timeout = '5s'")
                connection.execute("LOCK TABLE product_list IN SHARE UPDATE EXCLUSIVE MODE")
                connection.execute("SET LOCAL lock_timeout = '200ms'")
                # In the order in which writers take them.
                connection.execute("LOCK TABLE product_list IN ACCESS EXCLUSIVE MODE")
                connection.execute("LOCK TABLE events IN EXCLUSIVE MODE")
                _catch_up(connection, position)
                connection.execute(_SQL["exchange"])
        except psycopg.errors.LockNotAvailable:
            continue
        else:
            return
    raise Conflict("The rebuilt table found no moment to take the live one's place; the live one is as it was.")


def _catch_up(connection: Connection[Any], position: int) -> tuple[int, int]:
    """Fold again what was written after `position`; return how many streams that were, and the new position."""
    now = _one(connection, "SELECT coalesce(max(notification_id), 0) FROM events")
    ids = [row[0] for row in connection.execute(_SQL["moved"], {"after": position, "until": now})]
    connection.execute("DELETE FROM product_list_next WHERE id = ANY(%s)", [ids])
    rows = connection.cursor(binary=True).execute(_SQL["streams"], {"ids": ids}).fetchall()
    with connection.cursor() as cursor, cursor.copy(_SQL["fill"]) as copy:
        lines = _Lines(copy)
        for id, stream in groupby(rows, itemgetter(0)):
            if (product := fold(_decode(id, stream))) is not None:
                lines.add(product)
        lines.flush()
    return len(ids), now

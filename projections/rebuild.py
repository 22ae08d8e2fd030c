"""Rebuild of `product_list` from the log, beside the live one, which is read and written meanwhile.

A new table is filled from one snapshot of the log by several processes, each folding its share of the streams; then
it gets its indexes, catches up with what was written since, and takes the old one's name under a short lock.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import Connection, sql

from domain.errors import Conflict, DeadwaxError
from domain.event import DomainEvent
from domain.product.product import Product, fold
from domain.vocabulary import EVENTS
from projections.base import queries
from projections.catalogue import product_row

_SQL = queries("rebuild")
_LOCK = 0x64656165
_STREAM_ROWS = 2000
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


class _Share(NamedTuple):
    """One process's part: streams from `first` up to `last` (left out; None for no bound), as of a snapshot."""

    database_url: str
    snapshot: str
    first: UUID | None
    last: UUID | None


_decoders: dict[str, Callable[[bytes], DomainEvent]] = {
    topic: msgspec.json.Decoder(event).decode for topic, event in EVENTS.items() if topic.startswith("product.")
}


def _decode(id: UUID, rows: Iterable[tuple[UUID, str, bytes, int]]) -> Iterator[DomainEvent]:
    for _, topic, state, position in rows:
        try:
            yield _decoders[topic](state)
        except (KeyError, msgspec.MsgspecError) as error:
            raise UnfoldableEvent(f"Event {position} of stream {id} ({topic}) cannot be folded: {error}") from error


def _fill(share: _Share) -> tuple[int, int]:
    """Fold one share of the streams into the new table; return (events, products)."""
    events = products = 0
    with psycopg.connect(share.database_url) as reader, psycopg.connect(share.database_url) as writer:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(share.snapshot))
        reader.execute("SET LOCAL enable_sort = off")
        writer.execute("SET LOCAL synchronous_commit = off")
        bounds = {"first": share.first, "last": share.last}
        with writer.cursor() as cursor, cursor.copy(_SQL["fill"]) as copy:
            rows = reader.cursor().stream(_SQL["product_events"], bounds, binary=True, size=_STREAM_ROWS)
            for id, stream in groupby(rows, itemgetter(0)):
                found = list(stream)
                events += len(found)
                if (product := fold(_decode(id, found))) is not None:
                    copy.write_row(_copy_row(product))
                    products += 1
    return events, products


def _copy_row(product: Product) -> tuple[Any, ...]:
    return (*product_row(product), 0, 0, 0, False, False, "{}")


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
            _index(connection)
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
    events = products = 0
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        snapshot = _one(connection, "SELECT pg_export_snapshot()")
        position = _one(connection, "SELECT coalesce(max(notification_id), 0) FROM events")
        count = processes * 4
        edges: list[UUID] = [row[0] for row in connection.execute(_SQL["edges"], {"count": count})]
        bounds = [None, *sorted(set(edges)), None]
        shares = [_Share(database_url, snapshot, *pair) for pair in pairwise(bounds)]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            for done, (folded, written) in enumerate(pool.map(_fill, shares), start=1):
                events += folded
                products += written
                progress(done, len(shares))
    return Rebuilt(events, products, position)


def _index(connection: Connection[Any]) -> None:
    """Give the new table the live one's key and indexes."""
    connection.execute("SET maintenance_work_mem = '256MB'")
    for (definition,) in connection.execute(_SQL["index_definitions"]).fetchall():
        connection.execute(definition.encode())
    connection.execute(_SQL["key_of_next"])
    connection.execute("ANALYZE product_list_next")


def _swap(connection: Connection[Any], position: int) -> None:
    while True:
        moved, position = _catch_up(connection, position)
        if moved <= _CATCH_UP_UNTIL:
            break
    for _ in range(_SWAP_ATTEMPTS):
        try:
            with connection.transaction():
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
    folded = (fold(_decode(id, stream)) for id, stream in groupby(rows, itemgetter(0)))
    with connection.cursor() as cursor, cursor.copy(_SQL["fill"]) as copy:
        for product in folded:
            if product is not None:
                copy.write_row(_copy_row(product))
    return len(ids), now

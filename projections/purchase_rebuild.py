"""Rebuild of the purchases' table from the log, a few hundred at a time, while it is read and written.

Writers wait for the few milliseconds of a batch, readers never. Who bought is in no event: what is known of buyers is
not touched; nor is what is owed.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import Connection

from domain.errors import Unavailable
from domain.event import DomainEvent
from domain.purchase.purchase import Purchase, fold
from domain.vocabulary import EVENTS
from projections.base import queries
from projections.purchase import PUT, purchase_row
from projections.replay import UnfoldableEvent

_SQL = queries("purchase_rebuild")
_BATCH = 500
_LOCK_TIMEOUT_SECONDS = 10
_decoders = {topic: msgspec.json.Decoder(event).decode for topic, event in EVENTS.items()}


class Rebuilt(NamedTuple):
    """What a rebuild did."""

    events: int
    purchases: int


def rebuild(database_url: str, progress: Callable[[int], None] = lambda _done: None) -> Rebuilt:
    """Make every row anew; `progress` is told how many are done.

    Raises UnfoldableEvent with the stream and position, which leaves the rows from there on as they were; Unavailable.
    """
    events = purchases = 0
    try:
        with psycopg.connect(database_url) as connection:
            connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'")
            connection.commit()
            for ids in _batches(connection):
                with connection.transaction():
                    connection.execute(_SQL["hold"])
                    folded, count = _folded(connection, ids)
                    values = {"ids": ids, "digests": [purchase.token_digest for purchase in folded]}
                    connection.execute(_SQL["drop_rows"], values)
                    statement = f"SELECT {PUT}".encode()
                    connection.cursor().executemany(statement, [purchase_row(purchase) for purchase in folded])
                events += count
                purchases += len(folded)
                progress(purchases)
            with connection.transaction():
                connection.execute(_SQL["drop_strangers"])
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error
    return Rebuilt(events, purchases)


def _batches(connection: Connection[Any]) -> Iterator[list[UUID]]:
    after = UUID(int=0)
    while True:
        with connection.transaction():
            rows = connection.execute(_SQL["ids"], {"after": after, "limit": _BATCH}).fetchall()
        if not rows:
            return
        yield [row[0] for row in rows]
        after = rows[-1][0]


def _folded(connection: Connection[Any], ids: Sequence[UUID]) -> tuple[list[Purchase], int]:
    """Return the purchases, and how many events they have."""
    rows = connection.execute(_SQL["events_of"], {"ids": list(ids)}).fetchall()
    streams = (fold(_decoded(stream)) for _, stream in groupby(rows, itemgetter(0)))
    return [purchase for purchase in streams if purchase is not None], len(rows)


def _decoded(rows: Iterator[tuple[UUID, str, bytes, int]]) -> Iterator[DomainEvent]:
    for id, topic, state, position in rows:
        try:
            yield _decoders[topic](state)
        except (KeyError, msgspec.MsgspecError) as error:
            raise UnfoldableEvent(f"Event {position} of stream {id} ({topic}) cannot be folded: {error}") from error

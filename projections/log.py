"""The whole log, of one organization or of all, as whoever runs the deployment reads it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain import ids
from projections.audit import Row, Told, actors, head
from projections.base import Reader
from projections.documents import encode
from projections.terms import data, decoded

BATCH_ROWS = 1000


class LogQuery(Struct, frozen=True, kw_only=True):
    """Which events. `behind` and `until` are positions, the first left out, the last not; `since` and `till` are times,
    both not. None asks nothing.
    """

    organization: UUID | None = None
    object: UUID | None = None
    behind: int = 0
    until: int | None = None
    since: datetime | None = None
    till: datetime | None = None


async def newest(reader: Reader) -> int:
    """Return the position of the log's newest event; 0 without any."""
    [found] = await reader.row(b"SELECT coalesce(max(notification_id), 0) FROM events") or (0,)
    return int(found)


async def log(reader: Reader, asked: LogQuery, *, descends: bool = False) -> AsyncIterator[Sequence[Told]]:
    """Yield what is asked for, some at a time, perhaps none; nothing is held in between."""
    place = None
    while True:
        rows = await _rows(reader, asked, place, descends=descends)
        events = [(row, event) for row in rows if (event := decoded(row.topic, row.state)) is not None]
        events = [(row, event) for row, event in events if _is_within(asked, event.timestamp)]
        who = await actors(reader, asked.organization, [*{event.actor for _, event in events}])
        yield [
            Told(
                row.position,
                encode(
                    head(row, event, who)
                    | {"organization": ids.uid(ids.ORGANIZATION, event.organization), "data": data(event)}
                ).decode(),
            )
            for row, event in events
        ]
        if len(rows) < BATCH_ROWS:
            return
        place = rows[-1].position


def _is_within(asked: LogQuery, time: datetime) -> bool:
    return (asked.since is None or time >= asked.since) and (asked.till is None or time <= asked.till)


async def _rows(reader: Reader, asked: LogQuery, place: int | None, *, descends: bool) -> list[Row]:
    """Return the next events, those of an organization by its index."""
    position = "e.notification_id" if asked.organization is None else "a.position"
    conditions: dict[str, Any] = {
        f"{position} > %b::bigint": asked.behind if descends or place is None else place,
        f"{position} <= %b::bigint": asked.until,
        f"{position} < %b::bigint": place if descends else None,
        "a.organization = %b": asked.organization,
        "e.originator_id = %b": asked.object,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    index = "" if asked.organization is None else " JOIN audit_event AS a ON a.position = e.notification_id"
    statement = (
        "SELECT e.originator_id, e.originator_version, e.notification_id, e.topic, e.state"
        f" FROM events AS e{index} WHERE {' AND '.join(given)}"
        f" ORDER BY {position} {'DESC' if descends else 'ASC'} LIMIT {BATCH_ROWS}"
    )
    return [Row(*row) for row in await reader.rows(statement.encode(), list(given.values()), keep=False)]

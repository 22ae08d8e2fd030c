"""The log as an organization's administrator reads it: every event in the API's terms, in the order of commits."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from domain import ids
from domain.event import DomainEvent
from domain.vocabulary import name, version
from projections.base import Reader, queries
from projections.documents import encode
from projections.terms import EVENT_NAMES, data, decoded, object_of

BATCH_ROWS = 500
SYSTEM = "system"
_SQL = queries("audit")


class Row(NamedTuple):
    """An event as the log has it."""

    originator: UUID
    version: int
    position: int
    topic: str
    state: bytes


class Actor(Struct, frozen=True):
    """Who caused an event: an API key, or the deployment itself, which has no uid."""

    uid: str | None
    name: str | None


class AuditQuery(Struct, frozen=True, kw_only=True):
    """Which events of an organization. None and () ask nothing; times are exclusive, `topics` with their versions."""

    after: datetime | None = None
    before: datetime | None = None
    topics: tuple[str, ...] = ()
    actor: str | None = None
    object: UUID | None = None
    request_id: str | None = None
    descends: bool = True


class Told(NamedTuple):
    """An event as JSON text with holes, and its position."""

    position: int
    document: str


class Read(NamedTuple):
    """Some events. `following` is the position behind which there are more, None at the end; `last` that of the last
    one that was read, None without any.
    """

    events: Sequence[Told]
    following: int | None
    last: int | None


async def actors(reader: Reader, organization: UUID | None, named: Sequence[str]) -> Mapping[str, Actor]:
    """Return who the actors of an organization's events are, or of anybody's, by what the events call them."""
    keys = {id: actor for actor in named if (id := ids.parse(ids.API_KEY, actor)) is not None}
    rows = await reader.rows(_SQL["key_names"], {"organization": organization, "ids": list(keys)}) if keys else []
    names = {keys[id]: called for id, called in rows}
    return {actor: Actor(None, SYSTEM) if actor == SYSTEM else Actor(actor, names.get(actor)) for actor in named}


def head(row: Row, event: DomainEvent, who: Mapping[str, Actor]) -> dict[str, Any]:
    """Return what is told of any event: what it is, about what, when, by whom."""
    named = name(row.topic)
    return {
        "position": row.position,
        "event": named,
        "event_display": EVENT_NAMES.get(named, named),
        "version": version(row.topic),
        "object": object_of(row.topic, row.originator),
        "object_version": row.version,
        "time": event.timestamp,
        "actor": who[event.actor],
        "request_id": event.correlation_id,
    }


async def newest(reader: Reader, organization: UUID) -> tuple[int, int]:
    """Return the positions of the log's newest event and of the organization's; 0 without any."""
    log, own = await reader.row(_SQL["newest"], [organization]) or (0, 0)
    return log, own


async def read(reader: Reader, organization: UUID, asked: AuditQuery, place: int | None, size: int) -> Read:
    """Return the `size` events behind a position, from the start without one."""
    statement, values = _statement(organization, asked, place, size + 1)
    # A plan that is kept would know neither the filters' values nor how many rows they leave.
    rows = [Row(*found) for found in await reader.rows(statement, values, keep=len(values) < 3)]
    told = [(row, event) for row in rows[:size] if (event := decoded(row.topic, row.state)) is not None]
    who = await actors(reader, organization, [*{event.actor for _, event in told}])
    events = [Told(row.position, encode(head(row, event, who) | {"data": data(event)}).decode()) for row, event in told]
    last = rows[:size][-1].position if rows else None
    return Read(events, last if len(rows) > size else None, last)


async def batches(
    reader: Reader, organization: UUID, asked: AuditQuery, place: int | None = None
) -> AsyncIterator[Sequence[Told]]:
    """Yield all events behind a position, from the start without one, some at a time; nothing is held in between."""
    while True:
        found = await read(reader, organization, asked, place, BATCH_ROWS)
        yield found.events
        if found.following is None:
            return
        place = found.following


def _statement(organization: UUID, asked: AuditQuery, place: int | None, limit: int) -> tuple[bytes, list[Any]]:
    conditions = {
        "position < %b::bigint" if asked.descends else "position > %b::bigint": place,
        "time > %b": asked.after,
        "time < %b": asked.before,
        "topic = ANY(%b::text[])": list(asked.topics) or None,
        "actor = %s": asked.actor,
        "position = ANY(ARRAY(SELECT notification_id FROM events WHERE originator_id = %b))": asked.object,
        "request_id = %s": asked.request_id,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    where = " AND ".join(["organization = %b", *given])
    direction = "DESC" if asked.descends else "ASC"
    statement = (
        "SELECT e.originator_id, e.originator_version, a.position, e.topic, e.state"
        f" FROM (SELECT position FROM audit_event WHERE {where} ORDER BY position {direction} LIMIT {limit}) AS a"
        f" JOIN events AS e ON e.notification_id = a.position ORDER BY a.position {direction}"
    )
    return statement.encode(), [organization, *given.values()]

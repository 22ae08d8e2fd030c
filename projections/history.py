"""What became of one object: its events, newest first, each with what it changed in the API's terms."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain import vocabulary
from domain.event import DomainEvent
from projections.audit import Row, actors, head
from projections.base import Reader, queries
from projections.documents import encode
from projections.terms import NOUNS, changes, decoded

_SQL = queries("audit")
PRESENCE = "presence"
CHILDREN = tuple(kind for kind, noun in NOUNS.items() if noun.is_kin)
"""The kinds of streams that belong to a product, beside its own."""
NEWEST = 2**62
"""A position behind any."""


class History(NamedTuple):
    """A page of an object's history. `results` is the inside of a JSON array with holes; `is_gone` says that the object
    was deleted; `number` is 1-based; `exists` is false for a page past the last one.
    """

    total: int
    number: int
    results: str
    is_gone: bool
    exists: bool


def births(kinds: Sequence[str] = CHILDREN) -> list[str]:
    """Return the topics that streams of these kinds begin with."""
    return [topic for kind in kinds for topic in vocabulary.topics(f"{kind}.created")]


async def family_rows(
    reader: Reader,
    organization: UUID,
    products: Sequence[UUID],
    *,
    kinds: Sequence[str] = CHILDREN,
    until: int = NEWEST,
) -> list[tuple[UUID, Row]]:
    """Return the events of products and of their streams of these kinds, each with the product, in the log's order."""
    values = {
        "products": list(products),
        "organization": organization,
        "births": births(kinds),
        "until": until,
    }
    return [(product, Row(*row)) for product, *row in await reader.rows(_SQL["families"], values)]


async def stream_rows(reader: Reader, id: UUID) -> list[Row]:
    return [Row(*row) for row in await reader.rows(_SQL["stream"], [id])]


async def presence_id(reader: Reader, organization: UUID, product: UUID, number: int) -> UUID | None:
    """Return the id of the presence that is or was a product's under this number; None where there never was one."""
    for _, row in await family_rows(reader, organization, [product], kinds=(PRESENCE,)):
        event = decoded(row.topic, row.state)
        if row.version == 1 and event is not None and getattr(event, "number", None) == number:
            return row.originator
    return None


async def history(
    reader: Reader, organization: UUID, kind: str, id: UUID, page: int | None, size: int, *, with_children: bool
) -> History | None:
    """Return a page, None for the last; None where the organization has and had no such object."""
    if with_children:
        rows = [row for _, row in await family_rows(reader, organization, [id])]
    else:
        rows = await stream_rows(reader, id)
    events = [(row, event) for row in rows if (event := decoded(row.topic, row.state)) is not None]
    own = [event for row, event in events if row.originator == id]
    if not own or own[0].organization != organization or vocabulary.noun(own[0].TOPIC) != kind:
        return None
    total = len(events)
    last = max(1, -(-total // size))
    number = last if page is None else page
    first = max(0, total - number * size)
    shown = range(first, max(0, total - (number - 1) * size))
    told, gone = _told(events, shown)
    who = await actors(reader, organization, [*{event.actor for _, event, _ in told}])
    results = [encode(head(row, event, who) | {"changes": changed}).decode() for row, event, changed in reversed(told)]
    return History(total, number, ",".join(results), id in gone, number <= last)


def _told(
    events: Sequence[tuple[Row, DomainEvent]], shown: range
) -> tuple[list[tuple[Row, DomainEvent, dict[str, Any]]], set[UUID]]:
    """Return those events that are shown with what each changed, and the objects that are gone after all of them."""
    states: dict[UUID, Any] = {}
    told = []
    for place, (row, event) in enumerate(events):
        noun = NOUNS[vocabulary.noun(event.TOPIC)]
        assert noun.evolve is not None, "only what has a history is asked for it"
        before = states.get(row.originator)
        after = states[row.originator] = noun.evolve(before, event)
        if place in shown:
            told.append((row, event, changes(noun, before, after)))
    return told, {id for id, state in states.items() if state is None}

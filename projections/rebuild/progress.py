"""How far a rebuild is: rows beside the tables it makes, so that whoever goes on with it knows."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection

from domain.errors import UnfoldableEvent
from projections.base import queries
from projections.rebuild.projection import Bounds, Filled

_SQL = queries("rebuild_progress")


class Stage(StrEnum):
    """What is being done, or was when it was broken off."""

    FILLING = "filling"
    INDEXING = "indexing"
    READY = "ready"


class Progress(NamedTuple):
    """`position` is up to where the log was followed, `checked` up to when listings were looked at. `events` and
    `objects` are those of the shares that are done.
    """

    version: int
    position: int
    checked: datetime | None
    stage: Stage
    started: datetime
    shares: int
    shares_done: int
    events: int
    objects: int


class Share(NamedTuple):
    number: int
    bounds: Bounds


class Aside(NamedTuple):
    """An event that could not be folded, and which object keeps its live rows for it."""

    object: UUID
    stream: UUID
    position: int
    topic: str
    reason: str


class Notes:
    """What is noted in the schema that the connection's search path begins with."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def create(self, version: int, position: int) -> None:
        self._connection.execute(_SQL["create"])
        self._connection.execute(_SQL["begin"], [version, position])

    def add_shares(self, parts: Sequence[Bounds]) -> None:
        firsts, lasts = [first for first, _ in parts], [last for _, last in parts]
        values = {"numbers": list(range(len(parts))), "firsts": firsts, "lasts": lasts}
        self._connection.execute(_SQL["add_shares"], values)

    def progress(self, schema: str) -> Progress | None:
        """Return how far it is; None where none was begun, or only just."""
        there = self._connection.execute(_SQL["is_there"], [f"{schema}.progress"]).fetchone()
        if there != (True,):
            return None
        row = self._connection.execute(_SQL["progress"]).fetchone()
        return None if row is None else Progress(*row)

    def take(self, *, wait: bool = False) -> Share | None:
        """Take a share until the transaction ends. With `wait` also one that another process is at, if that fails."""
        row = self._connection.execute(_SQL["take_over" if wait else "take"]).fetchone()
        return None if row is None else Share(row[0], (row[1], row[2]))

    def undone(self) -> int:
        row = self._connection.execute(_SQL["undone"]).fetchone()
        return int(row[0]) if row else 0

    def done(self, share: Share, filled: Filled) -> None:
        self._connection.execute(_SQL["done"], {"number": share.number, **filled._asdict()})

    def reach(self, position: int, checked: datetime | None = None) -> None:
        self._connection.execute(_SQL["reach"], {"position": position, "checked": checked})

    def enter(self, stage: Stage) -> None:
        self._connection.execute(_SQL["enter"], [stage])

    def put_aside(self, object: UUID, error: UnfoldableEvent) -> None:
        values = [object, error.stream, error.position, error.topic, error.reason]
        self._connection.execute(_SQL["put_aside"], values)

    def aside(self) -> list[Aside]:
        return [Aside(*row) for row in self._connection.execute(_SQL["aside"])]

    def forget_aside(self) -> list[UUID]:
        """Let all that could not be folded be tried again; return the objects."""
        return [row[0] for row in self._connection.execute(_SQL["forget_aside"])]

"""What a projection is to whoever makes its tables anew from the log."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from psycopg import Connection

from projections.rebuild.source import Source

Bounds = tuple[str | None, str | None]
"""A part of the log or of a table: keys from the first up to the second, which is left out; None for no bound."""


class Table(NamedTuple):
    """`key` is the column that tells its rows apart."""

    name: str
    key: str = "id"


class Filled(NamedTuple):
    """What became of a part of the log: events folded, and objects that are there."""

    events: int = 0
    objects: int = 0


class Projection(Protocol):
    """Tables that the log alone decides on. Its statements name them without a schema: the search path leads to them.

    `units` is what its objects are called; `version` is raised when its tables are to be made again. `tables` are in
    the order in which writers lock them; `is_behind_log` says that they lock the log before.
    """

    @property
    def name(self) -> str: ...
    @property
    def units(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def tables(self) -> Sequence[Table]: ...
    @property
    def is_behind_log(self) -> bool: ...

    def prepare(self, connection: Connection[Any], until: int, are_new: bool, /) -> None:
        """Make what filling new tables, or following with kept ones, wants besides. What is there already stays."""
        ...

    def cut(self, connection: Connection[Any], count: int) -> list[Bounds]:
        """Return about so many parts of about the same number of events; none without any."""
        ...

    def fill(self, source: Source, writer: Connection[Any], bounds: Bounds, aside: Collection[UUID], /) -> Filled:
        """Write what a part of the log comes to, but for the objects in `aside`. Raises UnfoldableEvent."""
        ...

    def moved(self, connection: Connection[Any], after: int, until: int, /) -> list[UUID]:
        """Return the objects that have events at these positions; what has none that are told apart gives none."""
        ...

    def follow(
        self, connection: Connection[Any], moved: Sequence[UUID], after: int, until: int, aside: Collection[UUID], /
    ) -> None:
        """Write anew what moved, but for the objects in `aside`, whose rows go. Raises UnfoldableEvent."""
        ...

    def adopt(
        self, connection: Connection[Any], since: datetime | None, moved: Sequence[UUID] | None, /
    ) -> datetime | None:
        """Write what the tables show that is not in the log: all of it, or for what moved and what changed since then.

        Return from when on the next one has to look; None where there is nothing of the kind.
        """
        ...

    def object_of(self, connection: Connection[Any], stream: UUID, /) -> UUID:
        """Return the object that the stream is of."""
        ...

    def take_over(self, connection: Connection[Any], objects: Sequence[UUID], /) -> None:
        """Copy the live rows of objects, which the new tables do not have."""
        ...


def between(edges: Sequence[str]) -> list[Bounds]:
    """Return the parts that these keys cut, the first and the last one without an end."""
    return list(pairwise([None, *edges, None]))

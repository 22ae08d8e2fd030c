"""Streams with an event that cannot be folded, by this version at least: nothing is decided on them until it can be."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec

from domain import vocabulary
from domain.vocabulary import DECODERS
from projections.base import Reader, queries
from projections.terms import NOUNS
from projections.worker import WorkerConnection

_SQL = queries("parked")
_FOLD_ERRORS = (LookupError, TypeError, ValueError, AttributeError, msgspec.MsgspecError)


class Unfolded(Protocol):
    """An event that could not be folded, and why."""

    @property
    def stream(self) -> UUID: ...
    @property
    def position(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Parked(NamedTuple):
    """`position` is that of the event which cannot be folded, `since` when somebody first met it."""

    stream: UUID
    position: int
    topic: str
    reason: str
    since: datetime


async def parked(reader: Reader) -> list[Parked]:
    """Return the streams that are parked, longest first."""
    return [Parked(*row) for row in await reader.rows(_SQL["listed"])]


async def count(reader: Reader) -> int:
    row = await reader.row(_SQL["count"])
    return 0 if row is None else int(row[0])


async def park(reader: Reader, error: Unfolded) -> None:
    """Note that the stream of the event cannot be folded."""
    await reader.rows(_SQL["park"], _values(error))


class Parking(WorkerConnection):
    """The parked streams as workers and the shell see to them."""

    def listed(self) -> list[Parked]:
        return [Parked(*row) for row in self.rows(_SQL["listed"], {})]

    def park(self, found: Iterable[Unfolded]) -> None:
        for one in found:
            self.rows(_SQL["park"], _values(one))

    def retry(self) -> list[UUID]:
        """Let those be worked with again that can be folded now; return them."""
        return [one.stream for one in self.listed() if self._folds(one.stream) and self._unpark(one.stream)]

    def _folds(self, stream: UUID) -> bool:
        state: Any = None
        try:
            for _, topic, body in self.rows(_SQL["stream"], {"stream": stream}):
                event = DECODERS[topic](body)
                noun = NOUNS.get(vocabulary.noun(topic))
                if noun is not None and noun.evolve is not None:
                    state = noun.evolve(state, event)
        except _FOLD_ERRORS:
            return False
        return True

    def _unpark(self, stream: UUID) -> bool:
        return bool(self.rows(_SQL["unpark"], {"stream": stream}))


def _values(error: Unfolded) -> dict[str, Any]:
    return {"stream": error.stream, "position": error.position, "topic": error.topic, "reason": error.reason}

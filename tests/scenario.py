"""given(*events).when(decision).then(events): a decision, told by what happened before and what it makes happen."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Generic, TypeVar
from uuid import UUID

from domain.event import DomainEvent, Stamp

S = TypeVar("S")
Evolve = Callable[[S | None, DomainEvent], S | None]

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ORGANIZATION = UUID("01a20000-0000-7000-8000-000000000001")
STAMP = Stamp(NOW, ORGANIZATION, "key_1", "request-1")


class Given(Generic[S]):
    def __init__(self, evolve: Evolve[S], events: Sequence[DomainEvent]) -> None:
        self._evolve = evolve
        self._state = reduce(evolve, events, None)

    def when(self, decide: Callable[[S], DomainEvent | Sequence[DomainEvent]]) -> "When[S]":
        assert self._state is not None
        made = decide(self._state)
        return When(self._evolve, self._state, [made] if isinstance(made, DomainEvent) else made)


class When(Generic[S]):
    def __init__(self, evolve: Evolve[S], state: S, events: Sequence[DomainEvent]) -> None:
        self.events = events
        self._evolve = evolve
        self._state: S | None = state

    def then(self, *expected: type[DomainEvent], **fields: Any) -> S | None:
        """Check the kinds of the events in their order, and fields of the state after them; return that state."""
        assert tuple(type(event) for event in self.events) == expected
        state = reduce(self._evolve, self.events, self._state)
        assert {name: getattr(state, name) for name in fields} == fields
        return state


def scenario(evolve: Evolve[S]) -> Callable[..., Given[S]]:
    """Return the `given` of one kind of aggregate."""

    def given(*events: DomainEvent) -> Given[S]:
        return Given(evolve, events)

    return given

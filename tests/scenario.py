"""given(*events).when(decision).then(events): a decision, told by what happened before and what it makes happen."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.event import DomainEvent, Stamp
from domain.product.product import Product, evolve, fold

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ORGANIZATION = UUID("01a20000-0000-7000-8000-000000000001")
STAMP = Stamp(NOW, ORGANIZATION, "key_1", "request-1")


class Given:
    def __init__(self, events: Sequence[DomainEvent]) -> None:
        self._state = fold(events)

    def when(self, decide: Callable[[Product], DomainEvent | Sequence[DomainEvent]]) -> "When":
        assert self._state is not None
        made = decide(self._state)
        return When(self._state, [made] if isinstance(made, DomainEvent) else made)


class When:
    def __init__(self, state: Product, events: Sequence[DomainEvent]) -> None:
        self.events = events
        self._state: Product | None = state

    def then(self, *expected: type[DomainEvent], **fields: Any) -> Product | None:
        """Check the kinds of the events in their order, and fields of the state after them; return that state."""
        assert tuple(type(event) for event in self.events) == expected
        state = self._state
        for event in self.events:
            state = evolve(state, event)
        assert {name: getattr(state, name) for name in fields} == fields
        return state


def given(*events: DomainEvent) -> Given:
    return Given(events)

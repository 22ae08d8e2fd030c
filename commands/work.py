"""What a handler works with: who asks, when, and the log."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

from commands.recorder import Guard
from commands.save import Claim, Receipt, Saved
from commands.store import Store
from domain.errors import Invalid, NotFound
from domain.event import Change, DomainEvent, Stamp, Step
from domain.presence.prices import Rating
from domain.rates import MAX_AGE_DAYS


class _Owned(Protocol):
    @property
    def organization(self) -> UUID: ...


Aggregate = TypeVar("Aggregate", bound=_Owned)


class Context(NamedTuple):
    """Who asks: `actor` is an API key's uid, "buyer" or "system", `correlation_id` the request's id."""

    organization: UUID
    actor: str
    correlation_id: str


class Work(NamedTuple):
    """One attempt at one command."""

    store: Store
    context: Context
    now: datetime
    new_id: Callable[[], UUID]
    receipt: Receipt | None = None
    guard: Guard | None = None
    rate_max_age_days: int = MAX_AGE_DAYS

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.now, *self.context)

    def rating(self, currency: str) -> Rating:
        """Return what prices in this currency are told in USD by, as of now."""
        return Rating(self.store.rate(currency), self.now.date(), self.rate_max_age_days)

    def load(self, id: UUID, fold: Callable[[Iterable[DomainEvent]], Aggregate | None]) -> Aggregate:
        """Fold a stream of the organization's. Raises NotFound."""
        found = self.store.load(id, fold)
        if found is None or found.organization != self.context.organization:
            raise NotFound
        return found

    def save(
        self,
        changes: Sequence[Change],
        subject: UUID | None = None,
        claims: Sequence[Claim] = (),
        release: Sequence[UUID] = (),
        steps: Sequence[Step] = (),
    ) -> Saved:
        """Save, with this attempt's guard and receipt; the receipt keeps the document of `subject`."""
        receipt = self.receipt
        if receipt is not None and receipt.body is None:
            receipt = receipt._replace(subject=subject)
        return self.store.save(changes, claims=claims, release=release, receipt=receipt, guard=self.guard, steps=steps)


def change(
    id: UUID, before: Any, events: Sequence[DomainEvent], evolve: Callable[[Any, Any], Any], product: Any = None
) -> Change:
    """Return the step that these events are for the aggregate."""
    return Change(id, before, events, reduce(evolve, events, before), product)


def refuse(*errors: Mapping[str, Any]) -> None:
    """Raise Invalid with all the errors by field, whoever found them; the first to name a field counts."""
    if any(errors):
        raise Invalid({field: messages for found in reversed(errors) for field, messages in found.items()})

"""What a handler works with: who asks, when, and the log."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from commands.recorder import Guard
from commands.save import Claim, Receipt, Saved
from commands.store import Store
from domain.event import Change, Stamp


class Context(NamedTuple):
    """Who asks: `actor` is an API key's uid or "system", `correlation_id` the request's id."""

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

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.now, *self.context)

    def save(
        self,
        changes: Sequence[Change],
        subject: UUID | None = None,
        claims: Sequence[Claim] = (),
        release: Sequence[UUID] = (),
    ) -> Saved:
        """Save, with this attempt's guard and receipt; the receipt keeps the document of `subject`."""
        receipt = self.receipt
        if receipt is not None and receipt.body is None:
            receipt = receipt._replace(subject=subject)
        return self.store.save(changes, claims=claims, release=release, receipt=receipt, guard=self.guard)

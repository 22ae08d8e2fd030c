"""What every event of the log carries, what one decision did to one aggregate, and what a projection makes of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from msgspec import Struct


class DomainEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact. `timestamp` is UTC; `actor` is an API key's uid or "system"."""

    TOPIC: ClassVar[str]

    originator_id: UUID
    originator_version: int
    timestamp: datetime
    organization: UUID
    actor: str
    correlation_id: str


class Stamp(NamedTuple):
    """Who decides, when, for whom: the part of an event that does not depend on what happened."""

    timestamp: datetime
    organization: UUID
    actor: str
    correlation_id: str

    def on(self, originator_id: UUID, version: int) -> dict[str, Any]:
        """Return the base fields of an event that becomes `version` (1-based) of a stream."""
        return {
            "originator_id": originator_id,
            "originator_version": version,
            "timestamp": self.timestamp,
            "organization": self.organization,
            "actor": self.actor,
            "correlation_id": self.correlation_id,
        }


class Change(NamedTuple):
    """One aggregate's step: its state before (None: it is new), the events, its state after (None: it is gone)."""

    id: UUID
    before: Any
    events: Sequence[DomainEvent]
    after: Any


class Step(NamedTuple):
    """One call of a database function in the append transaction, e.g. ("drop_products(%b)", (ids,))."""

    call: str
    values: Sequence[Any]


class Projected(NamedTuple):
    """What a projection makes of some changes: steps in the order to run, and documents by aggregate id."""

    steps: Sequence[Step]
    documents: Mapping[UUID, str]

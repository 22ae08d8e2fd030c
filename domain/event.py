"""What every event of the log carries, what one decision did to one aggregate, and what a projection makes of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from msgspec import UNSET, Struct
from msgspec.structs import fields


class DomainEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact. `timestamp` is UTC; `actor` is an API key's uid, "buyer" or "system"."""

    TOPIC: ClassVar[str]

    originator_id: UUID
    originator_version: int
    timestamp: datetime
    organization: UUID
    actor: str
    correlation_id: str


_BASE = frozenset(field.name for field in fields(DomainEvent))


def own_fields(kind: type[DomainEvent]) -> tuple[str, ...]:
    """Return the names of what `kind` tells beyond the base, in its order."""
    return tuple(field.name for field in fields(kind) if field.name not in _BASE)


def told(event: DomainEvent, names: Sequence[str]) -> dict[str, Any]:
    """Return those of the fields that the event gives a value: UNSET ones are left out."""
    return {name: value for name in names if (value := getattr(event, name)) is not UNSET}


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
    """One aggregate's step: its state before (None: it is new), the events, its state after (None: it is gone).

    An inventory item that stays carries its `product` as it is after this save. Without events its product changed.
    """

    id: UUID
    before: Any
    events: Sequence[DomainEvent]
    after: Any
    product: Any = None


class Step(NamedTuple):
    """One call of a database function in the append transaction, e.g. ("drop_products(%b)", (ids,))."""

    call: str
    values: Sequence[Any]


class Projected(NamedTuple):
    """What a projection makes of some changes: steps in the order to run, and documents by aggregate id."""

    steps: Sequence[Step]
    documents: Mapping[UUID, str]

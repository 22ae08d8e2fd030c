"""What was done with a connection, as its owner reads it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

Action = Literal["check", "push", "end", "orders", "sale", "notification"]
Outcome = Literal["done", "changed", "failed", "conflict", "skipped"]
_encode = msgspec.json.Encoder(decimal_format="string").encode


class Activity(Struct, frozen=True, kw_only=True):
    """One entry. `message` is our own words and nobody's data; `changes` are fields from old to new, in API terms."""

    connection: UUID
    action: Action
    outcome: Outcome
    message: str
    presence: UUID | None = None
    product: UUID | None = None
    changes: Mapping[str, tuple[Any, Any]] | None = None


def columns(entries: Sequence[Activity]) -> list[list[Any]]:
    """Return the entries as the database's function takes them; changes are JSON text, amounts in it strings."""
    rows = [
        (
            entry.connection,
            entry.action,
            entry.outcome,
            entry.presence,
            entry.product,
            entry.message,
            _encode(entry.changes).decode() if entry.changes else None,
        )
        for entry in entries
    ]
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(7)]

"""What was done with a connection, as its owner reads it."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

Action = Literal["check", "push", "end", "orders", "sale", "notification"]
Outcome = Literal["done", "changed", "failed", "conflict", "skipped"]


class Activity(Struct, frozen=True, kw_only=True):
    """One entry. `message` is our own words and nobody's data; `changes` are fields from old to new, in API terms."""

    connection: UUID
    action: Action
    outcome: Outcome
    message: str
    presence: UUID | None = None
    product: UUID | None = None
    changes: Mapping[str, tuple[Any, Any]] | None = None

"""Everything that can be wrong with a request to the domain.

DeadwaxError
├── NotFound               no such aggregate in this organization
├── Invalid                values that break a rule, by field
├── Taken                  a unique name or external id has another holder
├── StaleWrite             the client's If-Match names an older state
├── IdempotencyMismatch    the key was bound to another request
├── Conflict               a concurrent write won; load and decide again
├── Busy                   conflicts outlasted the retries, or a lock the patience; worth trying again later
├── UnfoldableEvent        an event of the log is of a form that this version does not know
└── Unavailable            an engine cannot be reached; nothing is known to be written
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID


class DeadwaxError(Exception):
    """Base of all; the class docstring is the default message."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n")[0])


class NotFound(DeadwaxError):
    """Not found."""


class Invalid(DeadwaxError):
    """The values break a rule."""

    def __init__(self, errors: Mapping[str, Any]) -> None:
        super().__init__()
        self.errors = errors


class Taken(DeadwaxError):
    """Another aggregate holds this unique value."""


class StaleWrite(DeadwaxError):
    """The object changed since it was read."""


class IdempotencyMismatch(DeadwaxError):
    """The Idempotency-Key was used with another request."""


class Conflict(DeadwaxError):
    """A concurrent write won."""


class Busy(DeadwaxError):
    """Too many writes to this object at once. Try again."""


class UnfoldableEvent(DeadwaxError):
    """An event of the log cannot be folded, and with it nothing that its stream is about."""

    def __init__(self, stream: UUID, position: int, topic: str, reason: str) -> None:
        super().__init__(f"Event {position} of stream {stream} ({topic}) cannot be folded: {reason}")
        self.stream = stream
        self.position = position
        self.topic = topic
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        """It passes from one process to another."""
        return type(self), (self.stream, self.position, self.topic, self.reason)


class Unavailable(DeadwaxError):
    """A service this needs cannot be reached right now. Try again."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.event import DomainEvent


class TaskFailed(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt came to nothing. `attempt` counts from 1; `reason` is our own words and nobody's data; `due` is the
    next attempt's time, None where there is none until somebody asks for it.
    """

    TOPIC: ClassVar[str] = "task.failed.v1"

    kind: str
    subject: UUID
    attempt: int
    reason: str
    due: datetime | None = None


class TaskRetried(DomainEvent, frozen=True, kw_only=True):
    """Somebody had it tried again, at once and as if it had never failed."""

    TOPIC: ClassVar[str] = "task.retried.v1"

    kind: str
    subject: UUID


class TaskDropped(DomainEvent, frozen=True, kw_only=True):
    """Somebody took it off the list: it will not be done."""

    TOPIC: ClassVar[str] = "task.dropped.v1"

    kind: str
    subject: UUID


TaskEvent = TaskFailed | TaskRetried | TaskDropped

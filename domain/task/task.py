"""A task: work that is owed to a subject, as far as it did not just succeed. State, decisions, evolve.

A success is not told here: what it made is an event of the subject's own, and that takes the work off the list.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from msgspec import Struct

from domain import ids
from domain.event import DomainEvent, Stamp
from domain.task.events import TaskDropped, TaskFailed, TaskRetried

MAX_ATTEMPTS = 5
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 2.0, 300.0
WORKER_DIED = f"It was begun {MAX_ATTEMPTS} times, and its worker died each time or left it."
UID_PREFIXES: Mapping[str, str] = {
    "import": ids.IMPORT,
    "image": ids.ASSET,
    "mail": ids.PURCHASE,
    "connection": ids.CONNECTION,
    "listing": ids.PRESENCE,
    "round": "round_",
    "subscription": "subscription_",
}
"""What the uid of a subject begins with, by the kind of work."""


class Task(Struct, frozen=True, kw_only=True):
    """`attempt`, `reason` and `due` are those of the last failure; None, and 0, where none came since a retry."""

    id: UUID
    organization: UUID
    version: int
    kind: str
    subject: UUID
    status: Literal["owed", "dead", "dropped"]
    attempt: int = 0
    reason: str | None = None
    due: datetime | None = None


def task_id(subject: UUID) -> UUID:
    """Return the stream that tells of the work owed to a subject."""
    return uuid5(subject, "task")


def subject_uid(kind: str, subject: UUID) -> str:
    """Return what a person calls the work: the subject's uid."""
    prefix = UID_PREFIXES.get(kind)
    return str(subject) if prefix is None else ids.uid(prefix, subject)


def backoff_seconds(fruitless: int, jitter: float) -> float:
    """Return how long to wait after so many attempts (1 or more) that got nowhere; `jitter` is from 0 to 1."""
    full = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 4.0 ** min(fruitless - 1, 8))
    return full * (0.5 + jitter / 2)


def fail(
    state: Task | None,
    kind: str,
    subject: UUID,
    stamp: Stamp,
    *,
    attempt: int,
    reason: str,
    again_after_seconds: float | None,
) -> TaskFailed:
    """`again_after_seconds` None: it is given up."""
    due = None if again_after_seconds is None else stamp.timestamp + timedelta(seconds=again_after_seconds)
    base = _next(state, subject, stamp)
    return TaskFailed(**base, kind=kind, subject=subject, attempt=attempt, reason=reason, due=due)


def retry(state: Task | None, kind: str, subject: UUID, stamp: Stamp) -> TaskRetried:
    return TaskRetried(**_next(state, subject, stamp), kind=kind, subject=subject)


def drop(state: Task | None, kind: str, subject: UUID, stamp: Stamp) -> TaskDropped:
    return TaskDropped(**_next(state, subject, stamp), kind=kind, subject=subject)


def _next(state: Task | None, subject: UUID, stamp: Stamp) -> dict[str, Any]:
    """Any of them may be the first: the work itself is owed by an event of its subject."""
    version = 1 if state is None else state.version + 1
    return stamp.on(task_id(subject), version)


def evolve(state: Task | None, event: DomainEvent) -> Task | None:
    match event:
        case TaskFailed():
            return Task(
                **_base(event),
                status="dead" if event.due is None else "owed",
                attempt=event.attempt,
                reason=event.reason,
                due=event.due,
            )
        case TaskRetried():
            return Task(**_base(event), status="owed")
        case TaskDropped():
            return Task(**_base(event), status="dropped")
    return state


def _base(event: TaskFailed | TaskRetried | TaskDropped) -> dict[str, Any]:
    return {
        "id": event.originator_id,
        "organization": event.organization,
        "version": event.originator_version,
        "kind": event.kind,
        "subject": event.subject,
    }


def fold(events: Iterable[DomainEvent]) -> Task | None:
    state: Task | None = None
    for event in events:
        state = evolve(state, event)
    return state

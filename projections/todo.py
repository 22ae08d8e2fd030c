"""The work that the log owes, who has it on lease, and what comes of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from domain.event import Change, Projected, Step
from domain.task.events import TaskDropped, TaskFailed, TaskRetried
from domain.task.task import Task
from projections.base import Reader, queries
from projections.worker import WorkerConnection

_SQL = queries("todo")


class TodoProjection:
    """Keeps in `todo` what is told of tasks. What is owed at all, the subjects' own events put in and take out."""

    def project(self, changes: Sequence[Change]) -> Projected:
        steps = []
        for change in changes:
            if not isinstance(change.after, Task):
                continue
            for event in change.events:
                match event:
                    case TaskFailed():
                        values = (event.subject, event.timestamp, event.due, event.reason)
                        steps.append(Step("fail_task(%b, %b, %b, %s)", values))
                    case TaskRetried():
                        steps.append(Step("retry_task(%b, %b)", (event.subject, event.timestamp)))
                    case TaskDropped():
                        steps.append(Step("owe_no_more(%b)", (event.subject,)))
        return Projected(steps, {})


class Leased(NamedTuple):
    """One piece of work, given to the holder of `token` until the lease runs out."""

    subject: UUID
    kind: str
    token: UUID


class Begun(NamedTuple):
    """An attempt that was counted: all of them, and those since the work last got on; both from 1. `due` is since when
    the work had been due.
    """

    organization: UUID
    attempt: int
    fruitless: int
    due: datetime


class Todo(WorkerConnection):
    """The to-do list as workers use it."""

    def lease(self, kinds: Sequence[str], limit: int, seconds: float) -> list[Leased]:
        """Take work of these kinds that is due and that nobody has: as much as makes, with what was taken and has not
        begun, up to `limit` pieces.
        """
        values = {"kinds": list(kinds), "limit": limit, "seconds": seconds}
        return [Leased(*row) for row in self.rows(_SQL["lease"], values)]

    def begin(self, subject: UUID, token: UUID, seconds: float) -> Begun | None:
        """Count an attempt, durably, and prolong its lease; None where it is another's, begun before or no more."""
        found = self.rows(_SQL["begin"], {"subject": subject, "token": token, "seconds": seconds})
        return Begun(*found[0]) if found else None

    def renew(self, leases: Sequence[tuple[UUID, UUID]], seconds: float) -> set[UUID]:
        """Prolong leases (subject, token), also those that ran out and that nobody took; return the tokens of those."""
        subjects, tokens = ([lease[place] for lease in leases] for place in (0, 1))
        found = self.rows(_SQL["renew"], {"subjects": subjects, "tokens": tokens, "seconds": seconds})
        return {row[0] for row in found}

    def release(self, subject: UUID, token: UUID) -> None:
        """Give a lease back; what is still owed then can be taken again."""
        self.rows(_SQL["release"], {"subject": subject, "token": token})

    def put_off(self, subject: UUID, token: UUID, after_seconds: float = 0.0, reason: str | None = None) -> None:
        """Give a lease back and take back that the attempt was counted: it ended through no fault of the work's."""
        values = {"subject": subject, "token": token, "seconds": after_seconds, "reason": reason}
        self.rows(_SQL["put_off"], values)

    def again(
        self, subject: UUID, token: UUID, was_due: datetime, after_seconds: float, reason: str | None = None
    ) -> None:
        """Give a lease back; the work is due again after so many seconds, where it did not become due meanwhile.

        Without a reason it got on: no attempt is counted any more. With one it waits, which counts as no fruitless one.
        """
        values = {"subject": subject, "token": token, "was_due": was_due, "seconds": after_seconds, "reason": reason}
        self.rows(_SQL["again"], values)

    def strike(self, subject: UUID, token: UUID, was_due: datetime) -> None:
        """Give a lease back and take the work off the list, where it did not become due meanwhile."""
        self.rows(_SQL["strike"], {"subject": subject, "token": token, "was_due": was_due})
        self.release(subject, token)

    def error(self, subject: UUID) -> str | None:
        """Return why work last came to nothing; None where it did not."""
        found = self.rows(_SQL["error"], {"subject": subject})
        return found[0][0] if found else None

    def sweep(self) -> None:
        """Forget the leases of work that is no longer owed."""
        self.rows(_SQL["sweep"], {})

    def tally(self, ended: Sequence[tuple[str, str, int, float]]) -> None:
        """Add attempts that ended to those counted before: rows of kind, outcome, how many, how many seconds."""
        columns = map(list, zip(*ended, strict=True))
        self.rows(_SQL["tally"], dict(zip(("kinds", "outcomes", "tasks", "seconds"), columns, strict=True)))


class News(WorkerConnection):
    """`wait` returns when there is new work on the list."""

    LISTENS_TO = "todo"


class Row(NamedTuple):
    """Work as the list shows it. `error` is why it last came to nothing; `is_leased` says that it is being done."""

    subject: UUID
    organization: UUID
    organization_name: str
    kind: str
    due: datetime
    attempts: int
    dead_since: datetime | None
    error: str | None
    is_leased: bool


async def listed(
    reader: Reader,
    *,
    kind: str | None = None,
    organization: UUID | None = None,
    is_dead: bool | None = None,
    subject: UUID | None = None,
    limit: int | None = None,
) -> list[Row]:
    """Return the work that all of these hold for, what has been due longest first."""
    values = {"kind": kind, "organization": organization, "dead": is_dead, "subject": subject, "limit": limit}
    return [Row(*row) for row in await reader.rows(_SQL["listed"], values, keep=False)]


class Length(NamedTuple):
    """How much work of a kind is due, and dead; the age is that of the longest due, 0 without any."""

    kind: str
    due: int
    dead: int
    oldest_due_age_seconds: float


class Tally(NamedTuple):
    """How many attempts at a kind of work ended in this way, and how long they took together."""

    kind: str
    outcome: str
    tasks: int
    seconds: float


async def lengths(reader: Reader) -> list[Length]:
    return [Length(*row) for row in await reader.rows(_SQL["lengths"])]


async def tallies(reader: Reader) -> list[Tally]:
    return [Tally(*row) for row in await reader.rows(_SQL["tallies"])]

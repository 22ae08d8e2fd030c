"""Commands about work that workers owe: an attempt that came to nothing, another try, an end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands import connection, purchase
from commands.imports import job
from commands.save import Saved
from commands.work import Work, change
from domain.event import Change
from domain.task import task
from domain.task.events import TaskEvent
from domain.task.task import Task

ENDINGS: Mapping[str, Callable[[UUID, Work], Sequence[Change]]] = {
    "import": job.dropped,
    "mail": purchase.dropped,
    "connection": connection.dropped,
}
"""What ends, beside the work, when work of a kind is dropped: whoever waits for it is to see that it will not come."""


class _AboutTask(Struct, frozen=True, kw_only=True):
    subject: UUID
    kind: str


class FailTask(_AboutTask, frozen=True, kw_only=True):
    """Note an attempt that came to nothing.

    `fruitless` are the attempts since it last got on, this one too: after `max_fruitless` of them it is given up, with
    0 at once, with None never. `jitter`, from 0 to 1, spreads those that failed together; `at_least_seconds` is for how
    long whoever was asked wants to be left alone.
    """

    attempt: int
    fruitless: int
    reason: str
    jitter: float
    max_fruitless: int | None = task.MAX_ATTEMPTS
    at_least_seconds: float = 0.0


class RetryTask(_AboutTask, frozen=True, kw_only=True):
    """Have it tried again at once."""


class DropTask(_AboutTask, frozen=True, kw_only=True):
    """Take it off the list, undone."""


def fail(command: FailTask, work: Work) -> Saved:
    state = _load(command, work)
    wait_seconds = max(command.at_least_seconds, task.backoff_seconds(command.fruitless, command.jitter))
    is_over = command.max_fruitless is not None and command.fruitless >= command.max_fruitless
    event = task.fail(
        state,
        command.kind,
        command.subject,
        work.stamp,
        attempt=command.attempt,
        reason=command.reason,
        again_after_seconds=None if is_over else wait_seconds,
    )
    return work.save([_change(state, event)])


def retry(command: RetryTask, work: Work) -> Saved:
    state = _load(command, work)
    return work.save([_change(state, task.retry(state, command.kind, command.subject, work.stamp))])


def drop(command: DropTask, work: Work) -> Saved:
    state = _load(command, work)
    ended = ENDINGS[command.kind](command.subject, work) if command.kind in ENDINGS else []
    return work.save([*ended, _change(state, task.drop(state, command.kind, command.subject, work.stamp))])


def _load(command: _AboutTask, work: Work) -> Task | None:
    return work.store.load(task.task_id(command.subject), task.fold)


def _change(state: Task | None, event: TaskEvent) -> Change:
    return change(event.originator_id, state, [event], task.evolve)


HANDLERS: dict[Any, Any] = {FailTask: fail, RetryTask: retry, DropTask: drop}

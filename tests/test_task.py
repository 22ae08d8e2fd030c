from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.task import task
from domain.task.events import TaskDropped, TaskFailed, TaskRetried
from domain.task.task import MAX_BACKOFF_SECONDS, Task, backoff_seconds, fold
from tests.scenario import NOW, STAMP

SUBJECT = UUID("01a20000-0000-7000-8000-0000000000aa")


def failed(state: Task | None, attempt: int, again_after_seconds: float | None) -> TaskFailed:
    return task.fail(
        state, "image", SUBJECT, STAMP, attempt=attempt, reason="OSError", again_after_seconds=again_after_seconds
    )


def test_a_failed_attempt_is_told_with_the_next_ones_time() -> None:
    event = failed(None, 1, 30.0)
    assert (event.originator_id, event.originator_version) == (task.task_id(SUBJECT), 1)
    assert (event.kind, event.subject, event.attempt, event.reason) == ("image", SUBJECT, 1, "OSError")
    assert event.due == NOW + timedelta(seconds=30)
    state = fold([event])
    assert state is not None
    assert (state.status, state.attempt, state.reason, state.due) == ("owed", 1, "OSError", event.due)


def test_what_is_given_up_is_dead_until_it_is_tried_again_and_gone_once_it_is_dropped() -> None:
    events: list[TaskFailed | TaskRetried | TaskDropped] = [failed(None, 1, 30.0)]
    events.append(failed(fold(events), 2, None))
    dead = fold(events)
    assert dead is not None
    assert (dead.status, dead.due, dead.version) == ("dead", None, 2)
    events.append(task.retry(dead, "image", SUBJECT, STAMP))
    revived = fold(events)
    assert revived is not None
    assert (revived.status, revived.attempt, revived.reason, revived.version) == ("owed", 0, None, 3)
    events.append(task.drop(revived, "image", SUBJECT, STAMP))
    dropped = fold(events)
    assert dropped is not None
    assert (dropped.status, dropped.version) == ("dropped", 4)
    assert {event.originator_id for event in events} == {task.task_id(SUBJECT)}


@pytest.mark.parametrize("decide", [task.retry, task.drop])
def test_work_that_never_failed_can_be_tried_now_or_dropped(decide: object) -> None:
    event = decide(None, "image", SUBJECT, STAMP)  # type: ignore[operator]
    assert event.originator_version == 1
    assert fold([event]) is not None


def test_waits_grow_up_to_five_minutes() -> None:
    assert [backoff_seconds(n, 1.0) for n in (1, 2, 3, 4, 5)] == [2, 8, 32, 128, 300]


@for_all(st.integers(1, 10_000), st.floats(0, 1))
def test_jitter_takes_up_to_half_of_a_wait(fruitless: int, jitter: float) -> None:
    full = backoff_seconds(fruitless, 1.0)
    assert full / 2 <= backoff_seconds(fruitless, jitter) <= full <= MAX_BACKOFF_SECONDS

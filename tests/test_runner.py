"""What becomes of work that is run: off the list, due again, or told as failed."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from domain.errors import UnfoldableEvent
from projections.parked import Parking
from projections.todo import Todo
from tests.importing import Shop, shop
from workers.leases import Lease, Leases
from workers.runner import Again, Kind, Over, Postponed, Runner
from workers.slots import Slots
from workers.tally import Tally

KIND = "errand"


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


class Errand:
    """Ends as the test says."""

    def __init__(self, deed: Callable[[], Again | Over | None]) -> None:
        self._deed = deed

    def attempt(self, lease: Lease) -> Again | Over | None:
        return self._deed()


def owe(at: Shop, subject: UUID, due: str = "now()") -> None:
    with psycopg.connect(at.database_url) as connection:
        connection.execute(f"SELECT owe(%s, %s, %s, {due})".encode(), [subject, at.organization, KIND])


def run(at: Shop, subject: UUID, deed: Callable[[], Any], max_fruitless: int | None = 5) -> None:
    """Have one attempt at what is owed to the subject."""
    kind, stopping, tally = Kind(KIND, lambda _: Errand(deed), max_fruitless, "sync"), threading.Event(), Tally()
    with Todo(at.database_url) as todo:
        leases = Leases(todo, stopping, tally)
        runner = Runner(kind, at.bus, lambda: todo, Slots(1), leases, tally, stopping)
        [work] = [found for found in todo.lease([KIND], 1, 20) if found.subject == subject]
        runner.run(str(subject), str(work.token))


def row(at: Shop, subject: UUID) -> Any:
    """Return seconds until it is due, attempts, fruitless ones, whether it is dead, and why it waits."""
    query = "SELECT due, attempts, fruitless, dead_since IS NOT NULL, error FROM todo WHERE subject = %s"
    with psycopg.connect(at.database_url) as connection:
        found = connection.execute(query, [subject]).fetchone()
    return found and ((found[0] - datetime.now(UTC)).total_seconds(), *found[1:])


def events(at: Shop) -> list[Any]:
    return at.rows("SELECT topic FROM events WHERE topic LIKE 'task.%%' AND %s IS NOT NULL")


def test_work_that_is_due_again_costs_no_event_and_no_attempt(at: Shop) -> None:
    subject = uuid7()
    owe(at, subject)
    run(at, subject, lambda: Again(60.0))
    due, *rest = row(at, subject)
    assert 30 < due <= 60
    assert rest == [0, 0, False, None]
    assert (events(at), at.rows("SELECT FROM lease WHERE %s IS NOT NULL")) == ([], [])


def test_work_that_waits_says_why_and_never_dies_of_it(at: Shop) -> None:
    subject = uuid7()
    for number in range(1, 8):
        owe_again = number > 1
        if owe_again:
            with psycopg.connect(at.database_url) as connection:
                connection.execute("UPDATE todo SET due = now() WHERE subject = %s", [subject])
        else:
            owe(at, subject)
        run(at, subject, lambda: Again(60.0, "It is asleep."))
        assert row(at, subject)[1:] == (number, 0, False, "It is asleep.")
    assert events(at) == []


def test_work_that_became_due_while_it_ran_is_due(at: Shop) -> None:
    subject, other = uuid7(), uuid7()
    for id, ending in ((subject, Again(60.0)), (other, Over())):

        def deed(id: UUID = id, ending: Again | Over = ending) -> Again | Over:
            owe(at, id)
            return ending

        owe(at, id, "now() - interval '1 minute'")
        run(at, id, deed)
        due, *rest = row(at, id)
        assert due <= 0
        assert rest[1:] == [0, False, None]
        with psycopg.connect(at.database_url) as connection:
            connection.execute("UPDATE todo SET due = now() + interval '1 hour' WHERE subject = %s", [id])


def test_work_that_is_over_is_off_the_list_without_an_event(at: Shop) -> None:
    subject = uuid7()
    owe(at, subject)
    run(at, subject, Over)
    assert (row(at, subject), events(at)) == (None, [])
    assert at.rows("SELECT FROM lease WHERE %s IS NOT NULL") == []


def test_who_wants_to_be_left_alone_is_left_alone(at: Shop) -> None:
    subject = uuid7()
    owe(at, subject)

    def refused() -> None:
        raise Postponed("Too many requests.", after_seconds=3600.0)

    run(at, subject, refused)
    due, *rest = row(at, subject)
    assert timedelta(minutes=59).total_seconds() < due <= 3600
    assert rest == [1, 1, False, "Too many requests."]
    assert events(at) == [("task.failed.v1",)]


def test_work_on_a_stream_that_cannot_be_folded_waits_and_the_stream_is_parked(at: Shop) -> None:
    subject, stream = uuid7(), uuid7()
    owe(at, subject)

    def deed() -> None:
        raise UnfoldableEvent(stream, 7, "product.revised.v9", "It is not known.")

    run(at, subject, deed)
    due, *rest = row(at, subject)
    assert due > 30
    assert rest == [0, 0, False, f"Stream {stream} is parked at position 7."]
    with Parking(at.database_url) as parking:
        assert [(one.stream, one.position) for one in parking.listed()] == [(stream, 7)]
    assert events(at) == []

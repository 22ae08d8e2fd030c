"""What all processes may ask together, in simulated time: turns, days, blocks, and breakers of single connections."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from commands.settings import Settings
from projections.budget import BREAKER, REVISIONS, Breaker, Budget, Spend, Standing
from projections.worker import WorkerConnection
from sandbox.clock import Clock
from tests.simulated import Simulated

START = datetime(2026, 1, 2, 10, 0, tzinfo=UTC)
PACED, DAILY = Spend("paced", pace_seconds=1.0), Spend("daily", a_day=50)


@pytest.fixture
def database_url(limits: Settings) -> str:
    return limits.database_url


@pytest.fixture
def budget(database_url: str) -> Iterator[Budget]:
    with WorkerConnection(database_url) as connection:
        yield Budget(connection)


def take(budget: Budget, at: datetime, *spends: Spend, of: UUID | None = None) -> tuple[float, str | None]:
    turn = budget.take(at, of, spends, patience_seconds=5.0, trial_seconds=60.0)
    return turn.wait_seconds, turn.refused


def fail(budget: Budget, connection: UUID, at: datetime, jitter: float = 0.0) -> str:
    return budget.failed(
        connection, at, "It broke.", threshold=3, least_seconds=30.0, most_seconds=100.0, jitter=jitter
    )


def test_turns_are_as_far_apart_as_the_pace_and_none_is_far_away(budget: Budget) -> None:
    assert [take(budget, START, PACED) for _ in range(7)] == [
        *((float(second), None) for second in range(6)), (6.0, "paced"),
    ]  # fmt: skip
    assert take(budget, START + timedelta(seconds=2), PACED) == (4.0, None)
    # Turns that nobody took are not kept.
    late = START + timedelta(hours=1)
    assert [take(budget, late, PACED)[0] for _ in range(2)] == [0.0, 1.0]


def test_processes_that_ask_at_once_get_turns_of_their_own(database_url: str) -> None:
    time, turns = Simulated(Clock(START)), list[datetime]()

    def one() -> None:
        with WorkerConnection(database_url) as connection:
            for _ in range(25):
                wait, refused = take(Budget(connection), time.clock.now(), PACED)
                assert refused is None
                time.sleep(wait)
                turns.append(time.clock.now())

    time.run(one, one, one, one)
    assert sorted(turns) == [START + timedelta(seconds=second) for second in range(100)]


def test_a_days_turns_are_given_once_and_anew_the_next_day(database_url: str) -> None:
    given: list[str | None] = []

    def one() -> None:
        with WorkerConnection(database_url) as connection:
            given.extend(take(Budget(connection), START, DAILY)[1] for _ in range(20))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (given.count(None), given.count("daily")) == (50, 30)
    with WorkerConnection(database_url) as connection:
        budget = Budget(connection)
        assert take(budget, START, DAILY) == (14 * 3600, "daily")
        assert budget.standing(START) == [Standing("daily", 50, 50, None, None)]
        tomorrow = START + timedelta(hours=14)
        assert budget.standing(tomorrow)[0].used == 0
        assert take(budget, tomorrow, DAILY) == (0.0, None)
        # A clock that is behind gets no second day out of it.
        assert take(budget, START, DAILY) == (0.0, None)
        assert budget.standing(tomorrow)[0].used == 2


def test_of_several_keys_all_are_spent_or_none(budget: Budget) -> None:
    revisions = Spend(f"{REVISIONS}1", a_day=1)
    assert take(budget, START, DAILY, revisions) == (0.0, None)
    assert take(budget, START, DAILY, revisions) == (14 * 3600, revisions.key)
    assert budget.standing(START) == [Standing("daily", 50, 1, None, None)]
    assert budget.forget(START.date()) == 0
    assert budget.forget((START + timedelta(days=1)).date()) == 1


def test_a_block_holds_until_it_is_over_and_is_not_shortened(budget: Budget) -> None:
    until = START + timedelta(seconds=60)
    budget.block(PACED.key, START, until)
    budget.block(PACED.key, START, until - timedelta(seconds=30))
    assert take(budget, START, PACED) == (60.0, "paced")
    assert budget.standing(START)[0].blocked_until == until
    assert take(budget, until - timedelta(seconds=3), PACED) == (3.0, None)
    assert budget.standing(until)[0].blocked_until is None


def test_what_the_marketplace_says_makes_the_pace(budget: Budget) -> None:
    take(budget, START, PACED)
    budget.correct(PACED.key, 3.0, 4, START + timedelta(seconds=2))
    assert [take(budget, START, PACED)[0] for _ in range(2)] == [2.0, 5.0]
    assert budget.standing(START)[0].remaining == 4
    budget.correct(PACED.key, None, 40, START)
    assert take(budget, START + timedelta(seconds=20), PACED) == (0.0, None)
    assert take(budget, START + timedelta(seconds=20), PACED) == (1.0, None)


def test_a_breaker_opens_lets_one_through_and_opens_for_longer_or_closes(budget: Budget) -> None:
    broken, fine = uuid7(), uuid7()
    assert [fail(budget, broken, START) for _ in range(4)] == ["closed", "closed", "open", "open"]
    assert take(budget, START, DAILY, of=broken) == (30.0, BREAKER)
    assert take(budget, START, DAILY, of=fine) == (0.0, None)
    until = START + timedelta(seconds=30)
    assert budget.breakers(START) == [Breaker(broken, "open", 4, until, "It broke.")]
    assert budget.breakers(until)[0].state == "half-open"
    # Of those who ask now one tries; the others wait for what comes of it, but not for ever.
    assert take(budget, until, DAILY, of=broken) == (0.0, None)
    assert take(budget, until, DAILY, of=broken) == (60.0, BREAKER)
    assert budget.breakers(until)[0].state == "half-open"
    assert take(budget, until + timedelta(seconds=60), DAILY, of=broken) == (0.0, None)
    openings = []
    at = until
    for _ in range(3):
        fail(budget, broken, at)
        openings.append(take(budget, at, DAILY, of=broken)[0])
        at += timedelta(seconds=openings[-1])
        assert take(budget, at, DAILY, of=broken) == (0.0, None)
    # As long as that at most.
    assert openings == [60.0, 100.0, 100.0]
    budget.let_go(broken, at)
    assert budget.take(at, broken, [DAILY], 5.0, 60.0).failures > 0
    budget.succeeded(broken)
    assert budget.breakers(at) == []
    assert budget.take(at, broken, [DAILY], 5.0, 60.0).failures == 0


def test_breakers_that_open_together_do_not_close_together(budget: Budget) -> None:
    first, second = uuid7(), uuid7()
    for connection, jitter in ((first, 0.0), (second, 1.0)):
        for _ in range(3):
            fail(budget, connection, START, jitter)
    assert [take(budget, START, DAILY, of=connection)[0] for connection in (first, second)] == [30.0, 15.0]


def test_one_of_those_who_ask_at_once_tries_an_open_breaker(database_url: str) -> None:
    connection, given = uuid7(), list[str | None]()

    def one() -> None:
        with WorkerConnection(database_url) as own:
            given.append(take(Budget(own), START + timedelta(seconds=30), DAILY, of=connection)[1])

    with WorkerConnection(database_url) as own:
        for _ in range(3):
            fail(Budget(own), connection, START)
    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (given.count(None), given.count(BREAKER)) == (1, 7)


def test_with_its_credential_a_connections_breaker_goes(budget: Budget, database_url: str) -> None:
    connection = uuid7()
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("SELECT put_credential(%s, %s, %s)", [connection, uuid7(), b"x"])
        fail(budget, connection, START)
        assert len(budget.breakers(START)) == 1
        database.execute("SELECT drop_connection(%s)", [connection])
    assert budget.breakers(START) == []

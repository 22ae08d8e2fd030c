"""What is owed is done, once, whatever dies at whatever moment: workers, the broker, the database."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from redis import Redis

from commands.migrate import migrate
from commands.product import CreateProduct
from commands.settings import Settings
from domain.task.task import MAX_ATTEMPTS, WORKER_DIED
from engines.postgres import Postgres
from engines.valkey import Valkey
from tests.faults.machine import KILLED, machine, worker
from tests.faults.worker import BROKEN, HOPELESS, KILLER, POSTPONED, SECRET, SLOW, TOUCH
from tests.importing import Shop, eventually, shop

pytestmark = pytest.mark.faults

RECOVERY_SECONDS = 60.0


@pytest.fixture
def worker_settings(settings: Settings) -> Settings:
    return replace(settings, log_level="error", log_format="json")


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


def owe(at: Shop, kind: str, count: int) -> list[UUID]:
    """Make products, and have work of this kind owed to each."""
    values = {"title": "Abbey Road", "type": "digital"}
    for _ in range(count):
        at.bus.execute(CreateProduct(values=values), at.context)
    query = (
        "SELECT id, owe(id, organization, %s, now()) FROM product_list"
        " WHERE organization = %s AND NOT EXISTS (SELECT FROM todo WHERE subject = id) AND revision = 1"
    )
    with psycopg.connect(at.database_url) as connection:
        return [row[0] for row in connection.execute(query, [kind, at.organization])]


def left(at: Shop) -> list[tuple[Any, ...]]:
    return at.rows("SELECT kind, attempts, fruitless, dead_since IS NOT NULL, error FROM todo WHERE organization = %s")


def is_done_within(at: Shop, seconds: float = RECOVERY_SECONDS) -> None:
    eventually(lambda: not left(at), seconds)


def times_done(at: Shop) -> Counter[UUID]:
    """Return how often each product's work was done, by its events."""
    query = "SELECT originator_id FROM events WHERE topic = 'product.revised.v1' AND %s IS NOT NULL"
    return Counter(row[0] for row in at.rows(query))


@pytest.mark.parametrize(
    "fault",
    [
        "projections.todo:Todo.lease:before",
        "projections.todo:Todo.lease:after",
        "workers.broker:Broker.send:after",
        "projections.todo:Todo.begin:before",
        "projections.todo:Todo.begin:after",
        "commands.store:Store.load:after",
        "commands.store:Store.save:before",
        "commands.store:Store.save:after",
        "projections.todo:Todo.release:before",
    ],
)
def test_a_worker_killed_at_any_point_loses_nothing_and_doubles_nothing(
    at: Shop, worker_settings: Settings, fault: str
) -> None:
    ids = owe(at, TOUCH, 12)
    with worker(worker_settings, fault) as dying:
        assert dying.wait(30) == KILLED
    with worker(worker_settings):
        is_done_within(at)
    assert times_done(at) == dict.fromkeys(ids, 1)


def test_a_worker_killed_in_the_middle_of_its_work_loses_nothing(at: Shop, worker_settings: Settings) -> None:
    ids = owe(at, SLOW, 6)
    with worker(worker_settings) as dying:
        eventually(lambda: any(attempts for _, attempts, *_ in left(at)), 30)
        dying.send_signal(signal.SIGKILL)
        dying.wait()
    assert times_done(at) == {}
    with worker(worker_settings):
        is_done_within(at)
    assert times_done(at) == dict.fromkeys(ids, 1)


def test_a_worker_told_to_end_hands_back_what_it_has_begun_and_what_it_has_not(
    at: Shop, worker_settings: Settings
) -> None:
    ids = owe(at, SLOW, 20)
    with worker(worker_settings) as ending:
        eventually(lambda: any(attempts for _, attempts, *_ in left(at)), 30)
        ending.terminate()
        assert ending.wait(10) == 0
    assert {(attempts, fruitless) for _, attempts, fruitless, *_ in left(at)} == {(0, 0)}
    with worker(worker_settings):
        is_done_within(at)
    assert times_done(at) == dict.fromkeys(ids, 1)


def test_work_that_kills_its_worker_is_parked_and_nothing_else_suffers(at: Shop, worker_settings: Settings) -> None:
    owe(at, KILLER, 1)
    for _ in range(MAX_ATTEMPTS):
        with worker(worker_settings) as dying:
            assert dying.wait(30) == KILLED
        # The lease would have run out in a while.
        with psycopg.connect(at.database_url) as connection:
            connection.execute("DELETE FROM lease")
    ids = owe(at, TOUCH, 5)
    with worker(worker_settings) as living:
        eventually(lambda: [kind for kind, *_ in left(at)] == [KILLER] and left(at)[0][3], 30)
        assert living.poll() is None
    assert left(at) == [(KILLER, MAX_ATTEMPTS + 1, MAX_ATTEMPTS + 1, True, WORKER_DIED)]
    assert times_done(at) == dict.fromkeys(ids, 1)


def test_attempts_that_fail_are_told_in_the_log_without_anybodys_data(at: Shop, worker_settings: Settings) -> None:
    for kind in (BROKEN, POSTPONED, HOPELESS):
        owe(at, kind, 1)
    with worker(worker_settings):
        eventually(lambda: all(error for *_, error in left(at)), 30)
    assert {kind: (is_dead, error) for kind, _, _, is_dead, error in left(at)} == {
        BROKEN: (False, "ValueError"),
        POSTPONED: (False, "The moon is in the wrong place."),
        HOPELESS: (True, "There is no moon."),
    }
    bodies = at.rows("SELECT convert_from(state, 'utf8') FROM events WHERE topic = 'task.failed.v1' AND %s IS NOT NULL")
    assert len(bodies) >= 3
    assert not any(SECRET in body for (body,) in bodies)


def test_a_broker_that_forgets_everything_loses_nothing(at: Shop, worker_settings: Settings) -> None:
    with machine(Valkey()) as valkey:
        worker_settings = replace(worker_settings, redis_url=valkey.variables["REDIS_URL"])
        with worker(worker_settings) as living, Redis.from_url(worker_settings.redis_url) as redis:
            ids = owe(at, TOUCH, 300)
            for _ in range(20):
                redis.flushall()
                time.sleep(0.05)
            is_done_within(at)
            assert living.poll() is None
    assert times_done(at) == dict.fromkeys(ids, 1)


def test_a_broker_that_is_away_keeps_nobody_from_writing_and_loses_nothing(at: Shop, worker_settings: Settings) -> None:
    with machine(Valkey()) as valkey:
        worker_settings = replace(worker_settings, redis_url=valkey.variables["REDIS_URL"])
        with worker(worker_settings) as living:
            ids = owe(at, TOUCH, 50)
            valkey.stop(signal.SIGKILL)
            ids += owe(at, TOUCH, 50)
            time.sleep(20)
            assert len(left(at)) >= 50
            valkey.start()
            is_done_within(at)
            assert living.poll() is None
    assert times_done(at) == dict.fromkeys(ids, 1)


def test_a_listening_connection_that_is_cut_delays_nothing_for_long(at: Shop, worker_settings: Settings) -> None:
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE 'LISTEN%%' AND %s IS NOT NULL"
    )
    with worker(worker_settings) as living:
        first = owe(at, TOUCH, 3)
        is_done_within(at, 20)
        assert at.rows(cut) == [(1,)]
        second = owe(at, TOUCH, 3)
        is_done_within(at, 20)
        eventually(lambda: at.rows(cut) == [(1,)], 20)
        assert living.poll() is None
    assert times_done(at) == dict.fromkeys([*first, *second], 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_database_that_is_restarted_loses_nothing_and_costs_no_attempt(
    worker_settings: Settings, number: signal.Signals
) -> None:
    with machine(Postgres()) as postgres:
        database_url = postgres.variables["DATABASE_URL"]
        migrate(database_url)
        worker_settings = replace(worker_settings, database_url=database_url)
        with shop(database_url) as at, worker(worker_settings) as living:
            slow = owe(at, SLOW, 4)
            eventually(lambda: any(attempts for _, attempts, *_ in left(at)), 30)
            postgres.stop(number)
            time.sleep(4)
            postgres.start()
            ids = [*slow, *owe(at, TOUCH, 20)]
            is_done_within(at)
            assert living.poll() is None
            assert times_done(at) == dict.fromkeys(ids, 1)
            assert at.rows("SELECT FROM events WHERE topic = 'task.failed.v1' AND %s IS NOT NULL") == []

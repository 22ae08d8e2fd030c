"""Imports in workers, on the real broker, bucket and database, while things break."""

import signal
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from msgspec.structs import replace
from redis import Redis

from commands.blobs import Blobs
from commands.imports.job import AdvanceImport, AttemptImport, CompleteImport
from commands.settings import Settings
from domain.imports.imports import GAVE_UP, MAX_FRUITLESS_ATTEMPTS, Superseded
from projections.todo import News, Todo
from tests.importing import Shop, album_list, eventually, hand_in, numbers, shop, status, working
from workers.leases import Abandoned, Leases
from workers.tally import Tally

GONE = "redis://127.0.0.1:1/0"
KINDS = ["import"]


@pytest.fixture
def worker_settings(settings: Settings, s3: Settings) -> Settings:
    return replace(settings, s3_bucket=s3.s3_bucket, log_level="warning", log_format="json")


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


def test_an_import_is_done_and_its_refused_rows_are_kept(at: Shop, worker_settings: Settings) -> None:
    data = "title,artist,year\nHomogenic,Björk,1997\n,Air,1998\nDebut,Björk,19933\nHOMOGENIC ,björk,1997\n".encode()
    id = hand_in(at, worker_settings, data)
    assert status(at, id)["status"] == "queued"
    with working(worker_settings):
        eventually(lambda: status(at, id)["status"] == "done", 20)
    found = status(at, id)
    assert numbers(found) == [4, 4, 1, 0, 1, 2]
    assert found["errors"][0] == {"line": 3, "reason": "title: This field is required."}
    assert found["repeats"] == [{"line": 5, "first_line": 2}]
    assert (found["format"], found["encoding"], found["error"]) == ("csv", "utf-8-sig", None)
    assert found["created"] < found["started"] < found["finished"]
    assert found["rejects_url"] == f"/api/v1/imports/{found['uid']}/rejects/"
    rejects = b"".join(Blobs(worker_settings).get(f"{at.organization}/imports/{id}/rejects.csv"))
    assert rejects.decode("utf-8-sig").splitlines()[1] == "3,title: This field is required.,,Air,1998"
    assert [product["title"] for product in at.products()] == ["Homogenic"]


def test_a_second_import_of_the_file_changes_nothing(at: Shop, worker_settings: Settings) -> None:
    first, second = (hand_in(at, worker_settings, album_list(1200)) for _ in range(2))
    with working(worker_settings):
        eventually(lambda: {status(at, id)["status"] for id in (first, second)} == {"done"})
    assert at.product_count() == 1200
    # They ran side by side: what one made the other found.
    totals = [numbers(status(at, id)) for id in (first, second)]
    assert sum(total[2] for total in totals) == 1200
    assert [sum(total[2:]) for total in totals] == [1200, 1200]


def test_a_dry_run_counts_and_stores_nothing(at: Shop, worker_settings: Settings) -> None:
    id = hand_in(at, worker_settings, album_list(700), dry_run=True)
    with working(worker_settings):
        eventually(lambda: status(at, id)["status"] == "done")
    assert numbers(status(at, id)) == [700, 700, 700, 0, 0, 0]
    assert at.product_count() == 0


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\n\n", "The file has no header row."),
        (b"Jahr,Preis\n1,2\n", 'No column is known to hold the title: map one, title="Column". Columns: Jahr, Preis.'),
    ],
)
def test_a_file_that_is_none_fails_with_one_line(at: Shop, worker_settings: Settings, data: bytes, error: str) -> None:
    id = hand_in(at, worker_settings, data)
    with working(worker_settings):
        eventually(lambda: status(at, id)["status"] == "failed")
    assert status(at, id)["error"] == error


def test_a_killed_worker_loses_nothing_and_doubles_nothing(at: Shop, worker_settings: Settings) -> None:
    data = album_list(12_000) + b"9,,,2000,\r\n"
    id = hand_in(at, worker_settings, data)
    with working(worker_settings) as worker:
        eventually(lambda: status(at, id)["rows_done"] > 2000)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    at_death = status(at, id)
    assert at_death["status"] == "running"
    assert at.product_count() == at_death["rows_created"] < 12_000
    killed = time.monotonic()
    with working(worker_settings):
        eventually(lambda: status(at, id)["rows_done"] > at_death["rows_done"])
        resumed_seconds = time.monotonic() - killed
        eventually(lambda: status(at, id)["status"] == "done")
    assert resumed_seconds < 60
    assert numbers(status(at, id)) == [12_001, 12_001, 12_000, 0, 0, 1]
    assert at.product_count() == len({product["title"] for product in at.products()}) == 12_000
    [[attempts]] = at.rows("SELECT count(*) FROM events WHERE topic = 'import.attempted.v1' AND %s IS NOT NULL")
    assert attempts == 2


def test_a_worker_told_to_end_hands_back_what_it_runs(at: Shop, worker_settings: Settings) -> None:
    id = hand_in(at, worker_settings, album_list(12_000))
    with working(worker_settings) as worker:
        eventually(lambda: status(at, id)["rows_done"] > 1000)
        told = time.monotonic()
        worker.terminate()
        assert worker.wait() == 0
        assert time.monotonic() - told < 8
    rows_done = status(at, id)["rows_done"]
    assert rows_done < 12_000
    with working(worker_settings):
        # Handed back, not run out: nobody waits for the lease.
        eventually(lambda: status(at, id)["rows_done"] > rows_done, 15)
        eventually(lambda: status(at, id)["status"] == "done")
    assert at.product_count() == 12_000


def test_connections_that_are_cut_delay_and_lose_nothing(at: Shop, worker_settings: Settings) -> None:
    id = hand_in(at, worker_settings, album_list(6000))
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'deadwax %%' AND pid <> pg_backend_pid() AND %s IS NOT NULL"
    )
    with working(worker_settings) as worker:
        for rows in (500, 2000, 4000):
            eventually(lambda rows=rows: status(at, id)["rows_done"] >= rows)  # type: ignore[misc]
            assert at.rows(cut)[0][0] > 0
        eventually(lambda: status(at, id)["status"] == "done")
        assert worker.poll() is None
    assert numbers(status(at, id)) == [6000, 6000, 6000, 0, 0, 0]
    assert at.product_count() == 6000


def test_a_broker_that_forgets_everything_delays_and_loses_nothing(at: Shop, worker_settings: Settings) -> None:
    ids = [hand_in(at, worker_settings, album_list(300)) for _ in range(5)]
    ended = threading.Event()

    def forget() -> None:
        with Redis.from_url(worker_settings.redis_url) as redis:
            while not ended.wait(0.01):
                redis.flushdb()

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    with working(worker_settings):
        time.sleep(3)
        ended.set()
        forgetting.join()
        eventually(lambda: all(status(at, id)["status"] == "done" for id in ids))
    assert at.product_count() == 300


def test_without_a_broker_the_work_waits_and_the_worker_lives(at: Shop, worker_settings: Settings) -> None:
    id = hand_in(at, worker_settings, album_list(10))
    with working(replace(worker_settings, redis_url=GONE)) as worker:
        time.sleep(4)
        assert worker.poll() is None
        told = time.monotonic()
        worker.terminate()
        assert worker.wait() == 0
        assert time.monotonic() - told < 8
    assert status(at, id)["status"] == "queued"
    with working(worker_settings):
        # Given back when it could not be sent: nobody waits for the lease.
        eventually(lambda: status(at, id)["status"] == "done", 15)


def test_a_file_that_kills_its_workers_is_parked_visibly(at: Shop, worker_settings: Settings) -> None:
    id = hand_in(at, worker_settings, album_list(10))
    for number in range(1, MAX_FRUITLESS_ATTEMPTS + 1):
        at.bus.execute(AttemptImport(id=id, number=number), at.context)
    with working(worker_settings):
        eventually(lambda: status(at, id)["status"] == "failed")
    assert status(at, id)["error"] == GAVE_UP
    assert at.rows("SELECT subject FROM todo WHERE organization = %s") == []


def test_a_worker_that_was_taken_for_dead_cannot_write_any_more(at: Shop, worker_settings: Settings) -> None:
    id = hand_in(at, worker_settings, album_list(10))
    for number in (1, 2):
        at.bus.execute(AttemptImport(id=id, number=number), at.context)
    with pytest.raises(Superseded):
        at.bus.execute(CompleteImport(id=id, attempt=1), at.context)
    with pytest.raises(Superseded):
        at.bus.execute(AttemptImport(id=id, number=2), at.context)
    at.bus.execute(CompleteImport(id=id, attempt=2), at.context)


def test_work_is_on_lease_to_one_at_a_time(at: Shop, worker_settings: Settings) -> None:
    ids = {hand_in(at, worker_settings, album_list(1)) for _ in range(3)}
    with Todo(at.database_url) as one, Todo(at.database_url) as other:
        mine = one.lease(KINDS, 2, 20)
        # What waits for its worker counts: a third piece makes three.
        assert other.lease(KINDS, 2, 20) == []
        theirs = other.lease(KINDS, 3, 0.2)
        assert {work.subject for work in [*mine, *theirs]} == ids
        assert other.lease(KINDS, 9, 20) == []
        [lost] = theirs
        time.sleep(0.3)
        assert one.lease(["image"], 9, 20) == []
        [again] = one.lease(KINDS, 9, 20)
        assert again.subject == lost.subject
        assert other.renew([lost[::2]], 20) == set()
        assert other.begin(lost.subject, lost.token, 20) is None
        assert one.renew([again[::2], mine[0][::2], lost[::2]], 20) == {again.token, mine[0].token}
        one.release(again.subject, again.token)
        assert [work.subject for work in other.lease(KINDS, 9, 20)] == [lost.subject]


def test_an_attempt_counts_once_it_begins_and_not_where_it_is_put_off(at: Shop, worker_settings: Settings) -> None:
    hand_in(at, worker_settings, album_list(1))
    with Todo(at.database_url) as todo:
        for _ in range(3):
            # Sent and lost.
            [lost] = todo.lease(KINDS, 1, 0.01)
            time.sleep(0.05)
        [work] = todo.lease(KINDS, 1, 20)
        begun = todo.begin(work.subject, work.token, 20)
        assert begun is not None
        assert (begun.organization, begun.attempt, begun.fruitless) == (at.organization, 1, 1)
        assert todo.begin(work.subject, work.token, 20) is None
        todo.put_off(work.subject, lost.token, 60, "not the holder's to say")
        todo.put_off(work.subject, work.token)
        [again] = todo.lease(KINDS, 1, 20)
        begun = todo.begin(again.subject, again.token, 20)
        assert begun is not None
        assert begun.attempt == 1
        todo.put_off(again.subject, again.token, 60, "S3 is away")
        assert todo.lease(KINDS, 1, 20) == []
        query = "SELECT attempts, fruitless, due > now() + interval '50 s', error FROM todo WHERE organization = %s"
        assert at.rows(query) == [(0, 0, True, "S3 is away")]


def test_leases_are_kept_while_the_work_goes_on_and_their_loss_is_noticed(at: Shop, worker_settings: Settings) -> None:
    hand_in(at, worker_settings, album_list(1))
    stopping = threading.Event()
    with Todo(at.database_url) as mine, Todo(at.database_url) as other:
        [work] = mine.lease(KINDS, 1, 1)
        leases = Leases(Todo(at.database_url), stopping, Tally(), lease_seconds=1, renew_seconds=0.2)
        leases.start()
        with leases.held(work.subject, work.token, 7) as lease:
            assert lease.attempt == 7
            time.sleep(1.6)
            lease.check()
            assert other.lease(KINDS, 9, 20) == []
            stopping.set()
            with pytest.raises(Abandoned):
                lease.check()
            stopping.clear()
            other.release(work.subject, work.token)
            assert [again.subject for again in other.lease(KINDS, 1, 20)] == [work.subject]
            time.sleep(0.5)
            with pytest.raises(Abandoned):
                lease.check()
        leases.stop()


def test_progress_forgives_earlier_attempts(at: Shop, worker_settings: Settings) -> None:
    id = hand_in(at, worker_settings, album_list(10))
    for number in range(1, 3 * MAX_FRUITLESS_ATTEMPTS):
        at.bus.execute(AttemptImport(id=id, number=number), at.context)
        step = AdvanceImport(id=id, attempt=number, rows_done=number - 1, size=1, rows=[])
        at.bus.execute(step, at.context)
    assert status(at, id)["status"] == "running"
    with pytest.raises(Superseded):
        at.bus.execute(step, at.context)


def test_new_work_is_told_at_once(at: Shop, worker_settings: Settings) -> None:
    with News(at.database_url) as news:
        assert not news.wait(0.1)
        threading.Timer(0.3, lambda: hand_in(at, worker_settings, album_list(1))).start()
        started = time.monotonic()
        assert news.wait(10)
        assert time.monotonic() - started < 5


def test_two_worker_processes_share_the_work_and_end_together(at: Shop, worker_settings: Settings) -> None:
    ids = [hand_in(at, worker_settings, album_list(200)) for _ in range(6)]
    with working(worker_settings, processes=2) as worker:
        eventually(lambda: all(status(at, id)["status"] == "done" for id in ids))
        worker.terminate()
        assert worker.wait() == 0
    with psycopg.connect(at.database_url, autocommit=True) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'deadwax worker'"
        eventually(lambda: connection.execute(query).fetchone() == (0,), 10)

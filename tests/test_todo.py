"""The to-do list at a shell, in metrics, and what is done from time to time."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.settings import Settings
from commands.task import FailTask
from domain.errors import Unavailable
from domain.ids import ASSET, IMPORT, uid
from domain.imports.imports import DROPPED
from projections.chores import Chores
from projections.todo import Todo
from tests.clients import serving
from tests.importing import Shop, environment, eventually, shop, status
from workers.leases import Leases
from workers.scheduler import Chore, Scheduler
from workers.tally import DEAD, DONE, Tally


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


def owed(at: Shop, kind: str = "image", due: str = "now()") -> UUID:
    subject = uuid7()
    with psycopg.connect(at.database_url) as connection:
        connection.execute(f"SELECT owe(%s, %s, %s, {due})".encode(), [subject, at.organization, kind])
    return subject


def fail(at: Shop, subject: UUID, fruitless: int, reason: str = "OSError", **options: Any) -> None:
    command = FailTask(
        subject=subject, kind="image", attempt=fruitless, fruitless=fruitless, reason=reason, jitter=0.5, **options
    )
    at.bus.execute(command, at.context)


def deadwax(at: Shop, settings: Settings, *arguments: str, code: int = 0) -> str:
    """Run `deadwax todo …`; return what it printed."""
    command = [sys.executable, "-m", "api.cli", "todo", *arguments]
    environ = environment(replace(settings, database_url=at.database_url))
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def row(at: Shop, subject: UUID) -> tuple[Any, ...] | None:
    query = "SELECT due, attempts, fruitless, dead_since, error FROM todo WHERE subject = %s"
    with psycopg.connect(at.database_url) as connection:
        return connection.execute(query, [subject]).fetchone()


def test_a_failed_attempt_moves_the_work_and_the_last_one_parks_it(at: Shop) -> None:
    subject = owed(at)
    with Todo(at.database_url) as todo:
        [work] = todo.lease(["image"], 1, 20)
        assert todo.begin(work.subject, work.token, 20) is not None
    before = datetime.now(UTC)
    fail(at, subject, 3)
    found = row(at, subject)
    assert found is not None
    due, attempts, _, dead_since, error = found
    assert timedelta(seconds=24) <= due - before < timedelta(seconds=60)
    assert (attempts, dead_since, error) == (1, None, "OSError")
    assert at.rows("SELECT subject FROM lease WHERE %s IS NOT NULL") == []
    fail(at, subject, 5)
    found = row(at, subject)
    assert found is not None
    assert found[3] > before
    with Todo(at.database_url) as todo:
        assert todo.lease(["image"], 9, 20) == []


def test_what_is_hopeless_dies_at_once_and_what_ends_itself_never_does(at: Shop) -> None:
    hopeless, endless = owed(at), owed(at)
    fail(at, hopeless, 1, max_fruitless=0)
    fail(at, endless, 50, max_fruitless=None)
    [dead, alive] = row(at, hopeless), row(at, endless)
    assert dead is not None
    assert alive is not None
    assert (dead[3] is None, alive[3]) == (False, None)


def test_what_is_owed_anew_begins_anew(at: Shop) -> None:
    subject = owed(at)
    fail(at, subject, 5)
    with psycopg.connect(at.database_url) as connection:
        connection.execute("SELECT owe(%s, %s, 'image', now())", [subject, at.organization])
    found = row(at, subject)
    assert found is not None
    assert found[2:] == (0, None, None)


def test_the_list_is_shown_with_what_came_of_each(at: Shop, settings: Settings) -> None:
    first, second = owed(at, due="now() - interval '1 hour'"), owed(at, due="now() + interval '1 hour'")
    dead = owed(at)
    for fruitless in (1, 5):
        fail(at, dead, fruitless)
    job = hand_in_without_file(at)
    found = json.loads(deadwax(at, settings, "list", "--json"))
    states = {entry["uid"]: (entry["kind"], entry["state"]) for entry in found}
    assert states == {
        uid(ASSET, first): ("image", "due"),
        uid(ASSET, second): ("image", "waiting"),
        uid(ASSET, dead): ("image", "dead"),
        uid(IMPORT, job): ("import", "due"),
    }
    [only] = json.loads(deadwax(at, settings, "list", "--dead", "--kind", "image", "--json"))
    assert (only["uid"], only["error"]) == (uid(ASSET, dead), "OSError")
    name = only["organization"]
    assert json.loads(deadwax(at, settings, "list", "--kind", "import", "--organization", name, "--json"))
    assert uid(ASSET, dead) in deadwax(at, settings, "list")
    assert "Whose" not in deadwax(at, settings, "list", "--organization", "nobody", code=1)

    shown = json.loads(deadwax(at, settings, "show", uid(ASSET, dead), "--json"))
    told = [(entry["event"], entry.get("attempt"), "due" in entry) for entry in shown["history"]]
    assert told == [("task.failed.v1", 1, True), ("task.failed.v1", 5, False)]
    assert "reason=OSError" in deadwax(at, settings, "show", uid(ASSET, dead))


def hand_in_without_file(at: Shop) -> UUID:
    from commands.imports.job import RequestImport

    id = uuid7()
    command = RequestImport(id=id, filename="a.csv", blob="a", size_bytes=1, sha256="", type="physical")
    at.bus.execute(command, at.context)
    return id


def test_what_was_given_up_is_revived_one_by_one_or_all_of_a_kind(at: Shop, settings: Settings) -> None:
    dead = [owed(at) for _ in range(3)]
    for subject in dead:
        fail(at, subject, 5)
    assert deadwax(at, settings, "retry", uid(ASSET, dead[0])) == "1 to be tried again\n"
    assert deadwax(at, settings, "retry", "--all", "--kind", "import") == "0 to be tried again\n"
    found = row(at, dead[0])
    assert found is not None
    assert found[2:] == (0, None, None)
    assert deadwax(at, settings, "retry", "--all") == "2 to be tried again\n"
    with Todo(at.database_url) as todo:
        assert {work.subject for work in todo.lease(["image"], 9, 20)} == set(dead)
    assert "say a uid, or --all" in deadwax(at, settings, "retry", code=2)


def test_what_is_dropped_is_gone_and_who_waits_for_it_sees_that(at: Shop, settings: Settings) -> None:
    picture, job = owed(at), hand_in_without_file(at)
    assert deadwax(at, settings, "drop", uid(ASSET, picture)) == f"Dropped {uid(ASSET, picture)} (image).\n"
    deadwax(at, settings, "drop", uid(IMPORT, job))
    assert at.rows("SELECT subject FROM todo WHERE organization = %s") == []
    assert (status(at, job)["status"], status(at, job)["error"]) == ("failed", DROPPED)
    shown = json.loads(deadwax(at, settings, "show", uid(ASSET, picture), "--json"))
    assert shown["owed"] is None
    assert [entry["event"] for entry in shown["history"]] == ["task.dropped.v1"]
    for command in ("retry", "drop", "show"):
        missing = uid(ASSET, uuid7())
        assert missing in deadwax(at, settings, command, missing, code=1)
    assert "this is no uid" in deadwax(at, settings, "show", "nonsense", code=1)


@pytest.mark.anyio
async def test_metrics_tell_of_the_list_and_of_what_workers_did(at: Shop, settings: Settings, s3: Settings) -> None:
    owed(at, due="now() - interval '1 hour'")
    owed(at, due="now() + interval '1 hour'")
    fail(at, owed(at), 5)
    tally = Tally()
    with Todo(at.database_url) as todo:
        for _ in range(2):
            tally.add("image", DONE, 0.25)
            tally.add("image", DEAD, 1)
            tally.hand_on(todo)
        tally.hand_on(todo)
    async with serving(replace(settings, s3_bucket=s3.s3_bucket)) as client:
        text = (await client.get("/metrics")).text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("deadwax_todo_"))
        assert lines['deadwax_todo_due{kind="image"}'] == "1.0"
        assert lines['deadwax_todo_due{kind="import"}'] == "0.0"
        assert lines['deadwax_todo_dead{kind="image"}'] == "1.0"
        assert 3600 <= float(lines['deadwax_todo_oldest_due_age_seconds{kind="image"}']) < 3700
        assert lines['deadwax_todo_task_seconds_count{kind="image",outcome="done"}'] == "2.0"
        assert lines['deadwax_todo_task_seconds_sum{kind="image",outcome="done"}'] == "0.5"
        assert lines['deadwax_todo_task_seconds_count{kind="image",outcome="dead"}'] == "2.0"


def test_what_could_not_be_handed_on_is_handed_on_later(at: Shop) -> None:
    tally = Tally()
    tally.add("image", DONE, 1)
    with Todo("postgresql://127.0.0.1:1/nothing") as gone, pytest.raises(Unavailable):
        tally.hand_on(gone)
    tally.add("image", DONE, 2)
    with Todo(at.database_url) as todo:
        tally.hand_on(todo)
    assert at.rows("SELECT tasks, seconds FROM task_tally WHERE %s IS NOT NULL") == [(2, 3.0)]


def test_a_chore_is_taken_by_one_and_missed_periods_are_done_once(at: Shop) -> None:
    with Chores(at.database_url) as one, Chores(at.database_url) as other:
        for chores in (one, other):
            chores.know(["sweep"])
        taken = one.take(["sweep"], [60], 20)
        assert taken is not None
        assert other.take(["sweep"], [60], 20) is None
        one.done(taken.subject, taken.token, 60)
        assert other.take(["sweep"], [60], 20) is None
        # A period that has become shorter counts at once.
        again = other.take(["sweep"], [30], 0.01)
        assert again is not None
        one.done(taken.subject, taken.token, 60)
        threading.Event().wait(0.05)
        # Whoever had it died: its lease has run out.
        last = one.take(["sweep"], [30], 20)
        assert last is not None
        at.rows("UPDATE chore SET next_due = now() - interval '1 day' WHERE %s IS NOT NULL RETURNING 1")
        one.done(last.subject, last.token, 30)
        assert one.take(["sweep"], [30], 20) is None


def test_several_schedulers_do_each_chore_once_a_period(at: Shop) -> None:
    done: list[str] = []
    never = threading.Event()

    def broken() -> None:
        done.append("broken")
        raise ValueError

    chores = [Chore("often", 0.5, lambda: done.append("often")), Chore("seldom", 3600, lambda: done.append("seldom"))]
    chores.append(Chore("broken", 3600, broken))
    leases = [Leases(Todo(at.database_url), never, Tally()) for _ in range(3)]
    schedulers = [Scheduler(chores, Chores(at.database_url), kept) for kept in leases]
    for scheduler in schedulers:
        scheduler.start()
    eventually(lambda: done.count("often") >= 3 and "broken" in done, 20)
    for scheduler in schedulers:
        scheduler.stop()
    assert (done.count("seldom"), done.count("broken")) == (1, 1)

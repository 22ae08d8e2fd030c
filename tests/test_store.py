"""The contract of the log: nothing lost, nothing half written, nothing missed by a reader that follows it."""

import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat

from commands.bus import Bus
from commands.imports.arrivals import ImportRow
from commands.product import CreateProduct, DeleteProduct, ReviseProduct
from commands.recorder import ThreadConnections
from commands.save import Claim, Receipt, Replayed
from commands.store import Store
from commands.work import Context
from domain.errors import Busy, Conflict, IdempotencyMismatch, NotFound, StaleWrite, Taken, Unavailable
from domain.event import Change, Projected, Step
from domain.product import product as products
from projections.catalogue import CatalogueProjection
from projections.product import expect
from tests.importing import brought
from tests.scenario import ORGANIZATION, STAMP

CONTEXT = Context(ORGANIZATION, "key_1", "request-1")
VALUES = {"title": "Abbey Road", "type": "physical"}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url, [CatalogueProjection()])
    yield store
    store.close()


@pytest.fixture
def bus(store: Store) -> Bus:
    return Bus(store)


def new_product(title: str = "Abbey Road") -> Change:
    id = uuid_utils.compat.uuid7()
    event = products.create(id, {"title": title, "type": "physical"}, STAMP)
    return Change(id, None, [event], products.evolve(None, event))


def count(database_url: str, table: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def _append_for(database_url: str, batches: int) -> None:
    store = Store(database_url, pool_size=4)

    def write() -> None:
        for size in range(batches):
            store.save([new_product() for _ in range(size % 3 + 1)])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()


def test_a_reader_that_follows_eight_writers_misses_nothing(database_url: str, store: Store) -> None:
    writers = [multiprocessing.get_context("spawn").Process(target=_append_for, args=(database_url, 40)) for _ in "ab"]
    for writer in writers:
        writer.start()
    seen: list[UUID] = []
    position = 0
    while True:
        running = any(writer.is_alive() for writer in writers)
        found = store.notifications(position + 1, 50)
        for at, event in found:
            assert at > position
            position = at
            seen.append(event.originator_id)
        if not running and not found:
            break
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(seen) == len(set(seen)) == count(database_url, "events") == 2 * 4 * sum(n % 3 + 1 for n in range(40))


_KILLED = """
import sys
from commands.store import Store
from projections.catalogue import CatalogueProjection
from tests.test_store import new_product
store = Store(sys.argv[1], [CatalogueProjection()])
print("ready", flush=True)
store.save([new_product()])
print("saved", flush=True)
"""

_SLEEP_AFTER_APPEND = """
CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
CREATE TRIGGER doze AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION doze();
"""


def _wait_for_sleeper(connection: psycopg.Connection[Any]) -> int:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        ).fetchone()
        if row:
            return int(row[0])
        time.sleep(0.05)
    raise AssertionError("the writer never appended")


def test_a_writer_killed_between_append_and_commit_leaves_no_trace(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_SLEEP_AFTER_APPEND)
        with subprocess.Popen([sys.executable, "-c", _KILLED, database_url], stdout=subprocess.PIPE) as writer:
            _wait_for_sleeper(connection)
            writer.kill()
            assert writer.stdout is not None
            assert writer.stdout.read() == b"ready\n"
        time.sleep(1.5)
        waiting = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        ).fetchone()
        assert waiting == (0,), "its locks outlive it"
    assert [count(database_url, table) for table in ("events", "product_list", "catalogue")] == [0, 0, 0]


def test_a_write_whose_connection_dies_before_the_commit_is_made_again(database_url: str, store: Store) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_SLEEP_AFTER_APPEND)
        writer = threading.Thread(target=store.save, args=([new_product()],))
        writer.start()
        connection.execute("SELECT pg_terminate_backend(%s)", [_wait_for_sleeper(connection)])
        connection.execute("DROP TRIGGER doze ON events")
        writer.join()
    assert [count(database_url, table) for table in ("events", "product_list")] == [1, 1]


class LosesAnAnswer(ThreadConnections):
    """Real connections, one of which dies after its commit and before its answer."""

    lost = False

    def rows(self, statement: bytes, values: Sequence[Any]) -> list[dict[str, Any]]:
        found = super().rows(statement, values)
        if b"append_event" in statement and not self.lost:
            self.lost = True
            super().rows(b"SELECT pg_terminate_backend(pg_backend_pid())", ())
        return found


def test_a_commit_whose_answer_is_lost_is_found_and_not_made_twice(database_url: str) -> None:
    connections = LosesAnAnswer(database_url, 2)
    store = Store(database_url, [CatalogueProjection()], connections=connections)
    saved = store.save([new_product()])
    connections.close()
    assert connections.lost
    assert len(saved.positions) == 1
    assert [count(database_url, table) for table in ("events", "product_list")] == [1, 1]


class FailingProjection:
    def project(self, changes: Sequence[Change]) -> Projected:
        return Projected([Step("1 / %b::int", (0,))], {})


def test_a_projection_that_fails_takes_the_events_with_it(database_url: str) -> None:
    store = Store(database_url, [CatalogueProjection(), FailingProjection()])
    with pytest.raises(Exception, match="division by zero"):
        store.save([new_product()], claims=[Claim(ORGANIZATION, "sku", "1", UUID(int=1))])
    store.close()
    assert [count(database_url, table) for table in ("events", "product_list", "claim", "catalogue")] == [0] * 4


def test_two_writers_of_one_version_cannot_both_win(store: Store) -> None:
    change = new_product()
    store.save([change])
    with pytest.raises(Conflict):
        store.save([change._replace(events=[products.create(change.id, VALUES, STAMP)])])


def test_a_claim_has_one_holder_until_it_is_released(store: Store) -> None:
    first, second = new_product(), new_product()
    claim = Claim(ORGANIZATION, "sku", "LP-1", first.id)
    store.save([first], claims=[claim])
    with pytest.raises(Taken):
        store.save([second], claims=[claim._replace(holder=second.id)])
    assert store.load(second.id, products.fold) is None
    assert store.holders(ORGANIZATION, "sku", ["LP-1", "LP-2"]) == {"LP-1": first.id}
    store.save([], release=[first.id])
    store.save([second], claims=[claim._replace(holder=second.id)])


def test_a_stream_can_be_read_as_it_was_at_a_version(bus: Bus) -> None:
    [id] = bus.execute(CreateProduct(values=VALUES), CONTEXT).documents
    bus.execute(ReviseProduct(id=id, values={"title": "Help!"}), CONTEXT)
    then, now = (bus.store.load(id, products.fold, version) for version in (1, None))
    assert then is not None
    assert now is not None
    assert (then.title, now.title) == ("Abbey Road", "Help!")


def test_every_event_says_who_when_for_whom_and_in_which_request(bus: Bus) -> None:
    bus.execute(CreateProduct(values=VALUES, artist_name="The Beatles"), CONTEXT)
    events = [event for _, event in bus.store.notifications(1, 10)]
    assert [event.TOPIC for event in events] == ["artist.created.v1", "product.created.v1"]
    for event in events:
        assert (event.organization, event.actor, event.correlation_id) == CONTEXT
        assert event.timestamp.tzinfo is not None


def test_a_receipt_answers_for_the_same_request_and_for_no_other(bus: Bus) -> None:
    receipt = Receipt(ORGANIZATION, "key", b"digest", 201)
    saved = bus.execute(CreateProduct(values=VALUES), CONTEXT, receipt=receipt)
    with pytest.raises(Replayed) as replayed:
        bus.execute(CreateProduct(values=VALUES), CONTEXT, receipt=receipt)
    assert replayed.value.receipt.body in saved.documents.values()
    assert replayed.value.receipt.status == 201
    with pytest.raises(IdempotencyMismatch):
        bus.execute(CreateProduct(values=VALUES), CONTEXT, receipt=receipt._replace(request=b"other"))
    assert len(bus.store.notifications(1, 10)) == 1


def test_of_many_parallel_writes_on_one_revision_exactly_one_passes(bus: Bus) -> None:
    [id] = bus.execute(CreateProduct(values=VALUES), CONTEXT).documents
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            guard = expect(id, lambda revision: revision == "1")
            bus.execute(ReviseProduct(id=id, values={"title": f"Take {number}"}), CONTEXT, guard=guard)
            outcomes.append("written")
        except StaleWrite:
            outcomes.append("stale")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["stale"] * 7 + ["written"]


def test_parallel_writes_of_two_processes_are_all_made_or_refused_and_none_is_lost(bus: Bus, database_url: str) -> None:
    others = Bus(Store(database_url, [CatalogueProjection()]))
    [id] = bus.execute(CreateProduct(values=VALUES), CONTEXT).documents
    refused: list[Busy] = []

    def write(by: Bus, field: str) -> None:
        for number in range(10):
            while True:
                try:
                    by.execute(ReviseProduct(id=id, values={field: f"{number}"}), CONTEXT)
                    break
                except Busy as error:
                    # After its retries the bus says so, and a client tries again.
                    refused.append(error)

    fields = ("title", "sku", "upc", "media_type", "license_notes", "catalog_number")
    threads = [threading.Thread(target=write, args=(by, f)) for by, f in zip([bus, others] * 3, fields, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    others.store.close()
    product = bus.store.load(id, products.fold)
    assert product is not None
    assert {getattr(product, field) for field in fields} == {"9"}
    assert product.version == count(database_url, "events") == 1 + 10 * len(fields)
    assert len(refused) < 30


def test_one_artist_comes_of_two_spellings_and_of_parallel_requests(bus: Bus, database_url: str) -> None:
    documents: list[str] = []

    def create(name: str) -> None:
        documents.extend(bus.execute(CreateProduct(values=VALUES, artist_name=name), CONTEXT).documents.values())

    names = ["The Beatles", "THE  BEATLES ", "the beatles", "The beatles"]
    threads = [threading.Thread(target=create, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    artists = {document.split('"artist":')[1].split("}")[0] for document in documents}
    assert len(documents) == 4
    assert len(artists) == 1


def test_an_import_creates_each_claim_once_and_a_deleted_product_can_come_back(bus: Bus) -> None:
    rows = [ImportRow(values=VALUES, claim=f"discogs:release:{n % 3}", artist_name="Can") for n in range(5)]
    first = brought(bus, CONTEXT, rows)
    assert len(first.documents) == 3
    assert not brought(bus, CONTEXT, rows).documents
    gone = next(iter(first.documents))
    bus.execute(DeleteProduct(gone), CONTEXT)
    assert len(brought(bus, CONTEXT, rows).documents) == 1


def test_another_organizations_product_is_not_there(bus: Bus) -> None:
    [id] = bus.execute(CreateProduct(values=VALUES), CONTEXT).documents
    stranger = CONTEXT._replace(organization=UUID(int=9))
    for command in (ReviseProduct(id=id, values={}), DeleteProduct(id)):
        with pytest.raises(NotFound):
            bus.execute(command, stranger)


def test_a_database_that_is_not_there_is_unavailable_within_seconds() -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable):
        Store("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1")
    assert time.monotonic() - started < 15

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from commands.bus import Bus
from commands.product import CreateProduct, DeleteProduct, ImportProducts, ImportRow, ReviseProduct
from commands.store import Store
from domain.errors import Conflict
from projections.catalogue import CatalogueProjection
from projections.rebuild import rebuild
from projections.replay import UnfoldableEvent
from tests.test_store import CONTEXT, VALUES


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, [CatalogueProjection()])
    yield Bus(store)
    store.close()


def rows(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT * FROM product_list ORDER BY id").fetchall()


def shape(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as connection:
        return {
            row[0] for row in connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'product_list%'")
        }


def fill(bus: Bus, count: int) -> None:
    values = [VALUES | {"title": f"Album {n}\t\\N \x01\n{n}", "tags": ("rock", f"t\\{n}")} for n in range(count)]
    imported = [ImportRow(values=v, claim=f"x:{n}", artist_name=f"Artist {n % 7}") for n, v in enumerate(values)]
    ids = list(bus.execute(ImportProducts(imported), CONTEXT).documents)
    for id in ids[::5]:
        bus.execute(ReviseProduct(id=id, values={"year": "1969"}, music_label_name="Apple"), CONTEXT)
    for id in ids[::11]:
        bus.execute(DeleteProduct(id), CONTEXT)


def test_a_rebuilt_table_is_the_live_one_row_for_row_with_its_indexes(bus: Bus, database_url: str) -> None:
    fill(bus, 120)
    before, indexes = rows(database_url), shape(database_url)
    rebuilt = rebuild(database_url)
    assert rows(database_url) == before
    assert shape(database_url) == indexes
    assert rebuilt.products == len(before)
    bus.execute(CreateProduct(values=VALUES), CONTEXT)
    assert len(rows(database_url)) == len(before) + 1
    assert rebuild(database_url).products == len(before) + 1


def test_what_is_written_meanwhile_is_in_the_rebuilt_table(bus: Bus, database_url: str) -> None:
    fill(bus, 60)
    stop = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            saved = bus.execute(CreateProduct(values=VALUES), CONTEXT)
            [id] = saved.documents
            bus.execute(ReviseProduct(id=id, values={"title": "Changed"}), CONTEXT)
            written.append(str(id))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        rebuild(database_url)
    finally:
        stop.set()
        writer.join()
    live = rows(database_url)
    assert written
    rebuild(database_url)
    assert rows(database_url) == live


def test_an_event_that_cannot_be_folded_stops_the_rebuild_and_leaves_the_live_table(
    bus: Bus, database_url: str
) -> None:
    fill(bus, 10)
    before = rows(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state)"
            " VALUES (gen_random_uuid(), 1, 'product.created.v1', '{}')"
        )
    with pytest.raises(UnfoldableEvent, match=r"stream [0-9a-f-]{36} \(product\.created\.v1\)"):
        rebuild(database_url)
    assert rows(database_url) == before


def test_two_rebuilds_at_once_are_one_too_many(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [0x64656165])
        with pytest.raises(Conflict):
            rebuild(database_url)

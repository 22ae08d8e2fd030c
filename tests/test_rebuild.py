import threading
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.bus import Bus
from commands.migrate import migrate, migrations
from commands.product import CreateProduct, DeleteProduct, ReviseProduct
from commands.store import Store
from domain.errors import Conflict, UnfoldableEvent
from projections.inline import inline_projections
from projections.rebuild import rebuild
from projections.version import bring_up_to_date
from tests.shop import CONTEXT, TABLES, Shop, rows
from tests.test_migrate import empty_database  # noqa: F401 - a fixture

VALUES = {"title": "Abbey Road", "type": "physical"}


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, inline_projections())
    yield Bus(store)
    store.close()


_COLUMNS = """SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attcollation,
    attstorage, pg_get_expr(adbin, adrelid)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = ANY(%s::text[]::regclass[]) AND attnum > 0"""
_FORM = (
    _COLUMNS,
    "SELECT relname, reloptions FROM pg_class WHERE oid = ANY(%s::text[]::regclass[])",
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = ANY(%s::text[]::regclass[])",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s::text[])",
)


def shape(database_url: str) -> list[str]:
    """Return the tables' columns with their defaults, their options, their keys and their indexes."""
    with psycopg.connect(database_url) as connection:
        found = [connection.execute(form.encode(), [list(TABLES)]).fetchall() for form in _FORM]
    return sorted(str(row) for rows in found for row in rows)


def fill(bus: Bus, count: int) -> None:
    shop = Shop(bus)
    for n in range(count):
        values = VALUES | {"title": f"Album {n}\t\\N \x01\n{n}", "tags": ("rock", f"t\\{n}")}
        shop.product(**values, artist_name=f"Artist {n % 7}")
    ids = list(shop.products)
    for id in ids[::7]:
        item = shop.item(id, status="listed", name="a\tb\\N", price_total_usd="9.99", condition_comments="\\.")
        shop.photo(item)
        shop.presence(id, platform_uid="plat_redbubble", status="active", external_url="https://example.com/\\")
    for n in range(count // 7):
        pack = shop.product(title=f"Pack {n}", type="digital", is_mature_content=n % 3 == 0)
        shop.asset(pack, filename="c'over\\.png", content_type="image/png")
        shop.asset(pack, filename="Abbey_Road-01.flac", content_type="audio/flac", is_primary=n % 2 == 0)
    for id in ids[::5]:
        bus.execute(ReviseProduct(id=id, values={"year": "1969"}, music_label_name="Apple"), CONTEXT)
    for id in ids[::11]:
        bus.execute(DeleteProduct(id), CONTEXT)


def test_rebuilt_tables_are_the_live_ones_row_for_row_with_their_form(bus: Bus, database_url: str) -> None:
    fill(bus, 120)
    before, form = rows(database_url), shape(database_url)
    rebuilt = rebuild(database_url)
    assert rows(database_url) == before
    assert shape(database_url) == form
    assert rebuilt.objects == len(before["product_list"]) > 100
    bus.execute(CreateProduct(values=VALUES), CONTEXT)
    Shop(bus).item(before["product_list"][1][0], status="received")
    before = rows(database_url)
    assert rebuild(database_url, processes=1).objects == rebuilt.objects + 1
    assert rows(database_url) == before


def test_whatever_happened_the_log_tells_it_again(bus: Bus, database_url: str) -> None:
    @given(st.data())
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data: st.DataObject) -> None:
        shop = Shop(bus, uuid_utils.compat.uuid7())
        for _ in range(25):
            shop.act(data.draw)
        live = rows(database_url)
        rebuild(database_url, processes=1)
        assert rows(database_url) == live

    check()


def test_what_is_written_meanwhile_is_in_the_rebuilt_tables(bus: Bus, database_url: str) -> None:
    fill(bus, 60)
    stop = threading.Event()
    shop = Shop(bus)

    def write() -> None:
        while not stop.is_set():
            id = shop.product(**VALUES)
            item = shop.item(id, status="received")
            shop.revise(id, title="Changed")
            shop.photo(item)
            if len(shop.products) % 3 == 0:
                shop.drop_item(item)
            if len(shop.products) % 5 == 0:
                shop.drop_product(id)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        rebuild(database_url)
    finally:
        stop.set()
        writer.join()
    live = rows(database_url)
    assert shop.products
    rebuild(database_url, processes=1)
    assert rows(database_url) == live


def test_an_event_that_cannot_be_folded_stops_the_rebuild_and_leaves_the_live_tables(
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


def test_tables_of_an_older_form_are_made_again_and_others_left(bus: Bus, database_url: str) -> None:
    assert bring_up_to_date(database_url, processes=1) == []
    fill(bus, 3)
    live = rows(database_url)
    assert bring_up_to_date(database_url, processes=1) == []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE projection SET version = version - 1")
        connection.execute("UPDATE product_list SET title_key = 'as it was called before'")
    assert [made.name for made in bring_up_to_date(database_url, processes=1)] == ["catalogue"]
    assert rows(database_url) == live
    assert bring_up_to_date(database_url, processes=1) == []


def test_a_database_from_before_there_were_items_comes_up_with_its_products(
    empty_database: str,  # noqa: F811 - the fixture
) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE migration (number integer PRIMARY KEY, name text, digest text)")
        for migration in migrations()[:5]:
            connection.execute(migration.sql.encode())
            row = (migration.number, migration.name, migration.digest)
            connection.execute("INSERT INTO migration VALUES (%s, %s, %s)", row)
    log = Store(empty_database, ())
    [kept], [gone] = (_logged(Bus(log), title) for title in ("Kept", "Gone"))
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "SELECT put_product(%s, %s, 1, 'nft', 'kept', NULL, now(), now(), NULL, '', '', 'in an old form')",
            [kept, CONTEXT.organization],
        )
        connection.execute("INSERT INTO catalogue VALUES (%s, 9, 1)", [CONTEXT.organization])
    migrate(empty_database)
    shop = Shop(Bus(log))
    log.close()
    store = Store(empty_database, inline_projections())
    rebuilt = bring_up_to_date(empty_database)
    assert [made.name for made in rebuilt] == ["catalogue"]
    shop = Shop(Bus(store))
    shop.products = [kept, gone]
    shop.drop_product(gone)
    shop.item(kept, status="received")
    store.close()
    live = rows(empty_database)
    [listed] = live["product_list"]
    assert (listed[0], listed[6]) == (kept, "kept")
    assert [row[2] for row in live["inventory_list"]] == [kept]


def _logged(bus: Bus, title: str) -> list[UUID]:
    id: UUID = uuid_utils.compat.uuid7()
    bus.execute(CreateProduct(id=id, values=VALUES | {"title": title}), CONTEXT)
    return [id]

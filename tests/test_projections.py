"""Tables made anew, compared, exchanged and brought back, of every projection, while they are written."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from commands.bus import Bus
from commands.store import Store
from domain.errors import Conflict, UnfoldableEvent
from domain.presence.listing import Seen
from projections.inline import inline_projections
from projections.parked import Parking
from projections.rebuild import NAMES, Differs, NothingThere, drop, rebuild, rollback, swap, verify
from projections.rebuild.status import Standing, status
from projections.version import bring_up_to_date
from tests.listings import EBAY, opened
from tests.projecting import Everything, heal, poison, tables, tamper


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, inline_projections())
    yield Bus(store)
    store.close()


@pytest.fixture
def shop(bus: Bus, database_url: str) -> Everything:
    bring_up_to_date(database_url)
    return Everything(bus)


def standing(database_url: str, name: str) -> Standing:
    return next(one for one in status(database_url).projections if one.name == name)


@pytest.mark.parametrize("name", NAMES)
def test_every_projection_is_verified_rebuilt_and_brought_back(shop: Everything, database_url: str, name: str) -> None:
    before = tables(database_url, name)
    assert all(before.values()), "nothing to compare"
    verified = verify(database_url, name, processes=1)
    assert verified.is_same
    assert {table: found.rows for table, found in verified.tables.items()} == {t: len(r) for t, r in before.items()}
    table, id = tamper(database_url, name)
    tampered = tables(database_url, name)
    found = verify(database_url, name, processes=1)
    assert {name: list(table.first_ids) for name, table in found.tables.items() if table.differing} == {table: [id]}
    assert found.tables[table].hash != verified.tables[table].hash
    with pytest.raises(Differs, match=id):
        rebuild(database_url, processes=1, name=name, verified=True)
    assert tables(database_url, name) == tampered
    assert swap(database_url, name, verified=False).was_resumed
    assert tables(database_url, name) == before
    shop.more()
    rollback(database_url, name)
    assert tables(database_url, name) != before
    assert list(verify(database_url, name, processes=1).tables[table].first_ids) == [id]
    rollback(database_url, name)
    assert verify(database_url, name, processes=1).is_same
    assert drop(database_url, name) == ["kept"]
    with pytest.raises(NothingThere):
        rollback(database_url, name)


def test_what_is_written_meanwhile_is_no_difference_and_is_swapped_in(
    shop: Everything, bus: Bus, database_url: str
) -> None:
    stop, failures = threading.Event(), []

    def write() -> None:
        try:
            while not stop.is_set():
                shop.more()
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    def read() -> None:
        """Nobody finds a product without its document, or none at all."""
        asked = "SELECT count(*), count(d.id) FROM product_list AS l LEFT JOIN product_document AS d ON d.id = l.id"
        try:
            with psycopg.connect(database_url, autocommit=True, prepare_threshold=1) as connection:
                while not stop.is_set():
                    row = connection.execute(asked).fetchone()
                    assert row is not None
                    assert row[0] == row[1] > 0
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    others = [threading.Thread(target=of) for of in (write, read)]
    for other in others:
        other.start()
    try:
        for name in ("catalogue", "purchases", "audit"):
            assert verify(database_url, name, processes=1).is_same
            swapped = rebuild(database_url, processes=1, name=name, verified=True).swapped
            assert swapped is not None
            assert rollback(database_url, name).position > swapped.position
    finally:
        stop.set()
        for other in others:
            other.join()
    assert failures == []
    assert all(verify(database_url, name, processes=1).is_same for name in ("catalogue", "purchases", "audit"))


def test_tables_that_wait_are_swapped_later_with_what_was_written_since(shop: Everything, database_url: str) -> None:
    made = rebuild(database_url, processes=1, swapped=False)
    assert (made.swapped, made.was_resumed) == (None, False)
    waiting = standing(database_url, "catalogue").new
    assert waiting is not None
    assert waiting.stage == "ready"
    shop.more()
    assert swap(database_url, "catalogue").position > made.position
    assert standing(database_url, "catalogue").new is None
    assert verify(database_url, "catalogue", processes=1).is_same
    with pytest.raises(NothingThere):
        swap(database_url, "catalogue")


@pytest.mark.parametrize("name", ["catalogue", "purchases", "audit"])
def test_one_that_was_broken_off_goes_on_where_it_was(shop: Everything, database_url: str, name: str) -> None:
    class Broken(Exception):
        pass

    def breaking(at: str) -> None:
        def told(stage: str, done: int, _total: int) -> None:
            if stage == at and done:
                raise Broken

        with pytest.raises(Broken):
            rebuild(database_url, processes=1, name=name, told=told, verified=True)

    breaking("Filling")
    there = standing(database_url, name).new
    assert there is not None
    assert (there.stage, there.shares_done) == ("filling", 1)
    assert there.shares > 2
    shop.more()
    breaking("Indexing")
    breaking("Comparing")
    shop.more()
    assert rebuild(database_url, processes=1, name=name, verified=True).was_resumed
    assert not rebuild(database_url, processes=1, name=name, swapped=False).was_resumed
    assert not rebuild(database_url, processes=1, name=name, anew=True).was_resumed


def test_tables_of_another_form_do_not_come_back(shop: Everything, database_url: str) -> None:
    rebuild(database_url, processes=1)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE kept_catalogue.progress SET version = version - 1")
    with pytest.raises(NothingThere, match="form 2"):
        rollback(database_url, "catalogue")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE kept_catalogue.progress SET version = version + 1")
        connection.execute("ALTER TABLE product_list ADD COLUMN newer integer")
    with pytest.raises(NothingThere):
        rollback(database_url, "catalogue")


def test_a_swap_that_finds_no_moment_changes_nothing(
    shop: Everything, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.rebuild.swapping._PATIENCE_SECONDS", 0.5)
    before = tables(database_url, "catalogue")
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM product_list")
        with pytest.raises(Conflict, match="no moment"):
            rebuild(database_url, processes=1)
    assert tables(database_url, "catalogue") == before
    assert rebuild(database_url, processes=1).was_resumed


@pytest.mark.parametrize("name", ["catalogue", "conversions"])
def test_what_cannot_be_folded_stops_a_rebuild_or_is_left_as_it_is(
    shop: Everything, database_url: str, name: str
) -> None:
    product = shop.shop.products[1]
    presence = next(id for id, of in shop.shop.presences.items() if of == product)
    position = poison(database_url, presence, "presence.revised.v9")
    before = tables(database_url, name)
    with pytest.raises(UnfoldableEvent, match=rf"Event {position} of stream {presence} \(presence\.revised\.v9\)"):
        rebuild(database_url, processes=1, name=name)
    with pytest.raises(UnfoldableEvent):
        rebuild(database_url, processes=1, name=name)
    [aside] = rebuild(database_url, processes=1, name=name, park=True, verified=True).aside
    assert (aside.stream, aside.position) == (presence, position)
    assert aside.object == (product if name == "catalogue" else presence)
    assert tables(database_url, name) == before
    verified = verify(database_url, name, processes=1)
    assert (verified.differing, verified.is_same, len(verified.aside)) == (0, False, 1)
    with Parking(database_url) as parking:
        assert [one.stream for one in parking.listed()] == [presence]
        assert parking.retry() == []
    heal(database_url, [position])
    # It is tried again with each rebuild, and parked no more.
    assert rebuild(database_url, processes=1, name=name, verified=True).aside == []
    assert tables(database_url, name) == before
    with Parking(database_url) as parking:
        assert parking.listed() == []


def test_what_comes_to_be_unfoldable_meanwhile_is_left_as_it_is(shop: Everything, database_url: str) -> None:
    rebuild(database_url, processes=1, swapped=False, park=True)
    product: UUID = shop.shop.products[2]
    shop.shop.revise(product, title="As it stays")
    poison(database_url, product)
    before = tables(database_url, "catalogue")
    assert [one.stream for one in swap(database_url, "catalogue").aside] == [product]
    assert tables(database_url, "catalogue") == before


def test_when_listings_were_checked_is_shown_by_rebuilt_tables_too(database_url: str) -> None:
    bring_up_to_date(database_url)
    with opened(database_url) as stall:
        connection = stall.connect(EBAY)
        listed = [stall.add(EBAY, str(n), product=stall.add_product()) for n in range(6)]
        seen = [Seen(presence, "active", Decimal("20.00"), "USD") for presence in listed]
        stall.check(connection, *seen)
        live = tables(database_url, "catalogue")
        assert sum('""last_checked_at"":""' in row for row in live["presence_list"]) == len(listed)
        assert verify(database_url, "catalogue", processes=1).is_same
        rebuild(database_url, processes=1)
        assert tables(database_url, "catalogue") == live
        stall.revise(listed[0], listing_price="21.00")
        stop, failures = threading.Event(), []

        def check() -> None:
            try:
                while not stop.is_set():
                    stall.check(connection, *seen[1:])
                    stall.revise(listed[1], title="Checked and revised")
            except Exception as error:  # noqa: BLE001 - told below
                failures.append(error)

        checker = threading.Thread(target=check)
        checker.start()
        try:
            for _ in range(2):
                assert verify(database_url, "catalogue", processes=1).is_same
                rebuild(database_url, processes=1, verified=True)
                rollback(database_url, "catalogue")
        finally:
            stop.set()
            checker.join()
        assert failures == []
        assert verify(database_url, "catalogue", processes=1).is_same
        live = tables(database_url, "catalogue")
        rebuild(database_url, processes=1)
        assert tables(database_url, "catalogue") == live

"""Listings: what marketplaces show and take, against the tables that workers read."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from commands.connection import DeleteConnection, NoteVerified, RequestTest, ReviseConnection
from commands.listing import DropEnd, DropPush, NoteChecked
from commands.migrate import migrations
from commands.presence import DeletePresence, ReconvertPresence
from commands.product import DeleteProduct
from commands.store import Store
from commands.task import DropTask
from domain.errors import NotFound
from domain.event import DomainEvent
from domain.presence.listing import Seen, Unseen
from domain.rates import day_rates
from projections.listing import Listings, round_of
from projections.rates import Rates
from projections.rebuild import rebuild
from tests.listings import DISCOGS, EBAY, Stall, opened
from tests.shop import rows

TEN = Decimal("10.00")


@pytest.fixture
def stall(database_url: str) -> Iterator[Stall]:
    with opened(database_url) as found:
        yield found


def test_a_check_that_finds_nothing_new_is_no_event_and_says_when(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.check(ebay, Seen(id, "active", Decimal("20.0"), "USD"))
    assert stall.topics(id) == []
    assert stall.rows("SELECT checked, due > checked FROM listing") == [(stall.now, True)]
    shown = f'"last_checked_at":"{stall.now:%Y-%m-%dT%H:%M:%S.%f}Z"'
    for table in ("presence_list", "product_document"):
        [(document,)] = stall.rows(f"SELECT document FROM {table}")
        assert document.count(shown) == 1
    assert stall.activity() == [("check", "done")]


def test_what_the_marketplace_shows_is_taken_over_with_old_and_new(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.check(ebay, Seen(id, "paused", Decimal("25.00"), "USD", {"offer_id": "9"}))
    found = stall.presence(id)
    assert (found.status, found.listing_price, found.listing_price_usd) == (
        "paused",
        Decimal("25.00"),
        Decimal("25.00"),
    )
    assert (found.price_last_updated, found.last_checked_at) == (stall.now, stall.now)
    assert stall.topics(id) == ["presence.observed.v1"]
    assert stall.listings(ebay)[0].reference == {"offer_id": "9"}
    [(changes,)] = stall.rows("SELECT changes FROM activity WHERE outcome = 'changed'")
    assert changes == '{"status":["active","paused"],"listing_price":["20.00","25.00"]}'


def test_a_price_set_here_is_wanted_until_it_was_told(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    assert stall.wanted(id) is None
    stall.revise(id, listing_price="22.00")
    first = stall.number(id)
    stall.revise(id, listing_price="23.00")
    stall.pushed(ebay, id, first, "22.00")
    assert (stall.number(id), stall.presence(id).listing_price) == (first + 1, Decimal("23.00"))
    assert stall.owed() == {id}
    stall.pushed(ebay, id, first + 1, "23.00")
    stall.pushed(ebay, id, first + 1, "23.00")
    assert (stall.wanted(id), stall.owed()) == (None, set())
    assert stall.topics(id) == ["presence.repriced.v1"] * 2 + ["presence.price-pushed.v1"]
    assert stall.activity() == [("push", "done")] * 2


def test_of_a_listing_whose_price_is_to_be_told_a_check_takes_over_the_status_alone(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.revise(id, listing_price="22.00")
    stall.check(ebay, Seen(id, "paused", Decimal("20.00"), "USD"))
    assert (stall.presence(id).status, stall.presence(id).listing_price) == ("paused", Decimal("22.00"))
    stall.check(ebay, Seen(id, "paused", Decimal("20.00"), "USD"))
    assert stall.topics(id) == ["presence.repriced.v1", "presence.observed.v1"]


def test_what_was_asked_for_before_a_change_here_is_asked_for_again(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    asked = stall.listings(ebay)
    stall.revise(id, external_listing_id="112")
    stall.do(NoteChecked(connection=ebay, listings=asked, seen=[Seen(id, "ended")]), "system")
    assert (stall.presence(id).status, stall.rows("SELECT checked FROM listing")) == ("active", [(None,)])


def test_a_listing_that_could_not_be_read_is_not_checked_and_waits_for_its_turn(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.check(ebay, failed=(Unseen(id, "The marketplace answered with status 500."),))
    assert stall.rows("SELECT checked, due > %s FROM listing", stall.now) == [(None, True)]
    assert stall.activity() == [("check", "failed")]


def test_a_listing_that_is_gone_ends_and_is_checked_no_more(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.revise(id, listing_price="22.00")
    stall.check(ebay, Seen(id, "removed"))
    assert (stall.presence(id).status, stall.presence(id).listing_price) == ("removed", Decimal("22.00"))
    assert (stall.listings(ebay), stall.wanted(id), stall.owed()) == ([], None, set())
    [(document,)] = stall.rows("SELECT document FROM presence_list")
    assert f'"last_checked_at":"{stall.now.isoformat().replace("+00:00", "Z")}"' in document
    stall.revise(id, status="active")
    assert [listing.presence for listing in stall.listings(ebay)] == [id]


class Noting(Store):
    """Notes whose streams are read together."""

    read: ClassVar[list[UUID]] = []

    def load_all(self, ids: Sequence[UUID]) -> dict[UUID, list[DomainEvent]]:
        self.read.extend(ids)
        return super().load_all(ids)


def test_only_the_streams_of_listings_that_show_something_new_are_read(database_url: str) -> None:
    with opened(database_url, Noting) as stall:
        ebay = stall.connect(EBAY)
        ids = [stall.add(EBAY, str(number)) for number in range(20)]
        stall.check(ebay, *(Seen(id, "active", Decimal(20 + (id == ids[7])), "USD") for id in ids))
        assert Noting.read == [ids[7]]
        assert stall.rows("SELECT count(*) FROM listing WHERE checked = %s", stall.now) == [(20,)]
        [(document,)] = stall.rows("SELECT document FROM product_document")
        assert document.count(f'"last_checked_at":"{stall.now:%Y-%m-%dT%H:%M:%S.%f}Z"') == 20


def test_a_price_in_another_currency_is_converted_as_it_is_taken_over(stall: Stall) -> None:
    today = datetime.now(UTC).date()
    with Rates(stall.url) as table:
        table.keep(day_rates(today, {"USD": Decimal("1.10"), "JPY": Decimal(160)}, today), "ecb")
    discogs = stall.connect(DISCOGS)
    id = stall.add(DISCOGS, listing_currency="EUR")
    stall.check(discogs, Seen(id, "active", Decimal(2500), "JPY"))
    found = stall.presence(id).prices
    assert found == (Decimal(2500), "JPY", Decimal("17.19"), today)


def test_a_price_is_to_be_told_where_a_client_set_it_and_nowhere_else(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id, off = stall.add(EBAY), stall.add(EBAY, "112", is_selling_enabled=False)
    by_hand = stall.add("plat_redbubble", "113")
    stall.revise(id, external_url="https://ebay.com/itm/111")
    stall.revise(id, "system", listing_price="21.00")
    stall.do(ReconvertPresence(id, stall.product), "system")
    stall.check(ebay, Seen(id, "active", Decimal("19.00"), "USD"))
    for one in (off, by_hand):
        stall.revise(one, listing_price="22.00")
    assert stall.owed() == set()
    stall.revise(id, listing_price="22.00")
    assert stall.owed() == {id}


@pytest.mark.parametrize("settings", [{"push_prices": False}, None])
def test_without_a_connection_that_pushes_no_price_is_to_be_told(
    stall: Stall, settings: dict[str, bool] | None
) -> None:
    if settings is not None:
        stall.connect(EBAY, **settings)
    id = stall.add(EBAY)
    stall.revise(id, listing_price="22.00")
    stall.override("30.00")
    assert (stall.wanted(id), stall.owed()) == (None, set())


def test_a_products_own_price_is_to_be_told_by_the_rule_until_it_has_none(stall: Stall) -> None:
    stall.connect(EBAY, markup_percent=10)
    id = stall.add(EBAY)
    stall.revise(id, listing_price="22.00")
    stall.override("30.00")
    found = stall.wanted(id)
    assert found is not None
    assert (found.push_basis, found.override_usd, found.markup_percent) == ("rule", Decimal("30.00"), 10)
    assert found.push_number == 2
    stall.override(None)
    assert (stall.wanted(id), stall.owed()) == (None, set())


def test_another_markup_and_prices_that_are_pushed_from_now_on_concern_products_with_a_price_of_their_own(
    stall: Stall,
) -> None:
    ebay = stall.connect(EBAY, push_prices=False)
    id, other = stall.add(EBAY), stall.add(EBAY, "112", product=stall.add_product())
    stall.override("30.00")
    stall.do(ReviseConnection(id=ebay, values={"markup_percent": 5}))
    assert stall.owed() == set()
    stall.do(ReviseConnection(id=ebay, values={"push_prices": True}))
    assert (stall.owed(), stall.number(id), stall.wanted(other)) == ({id}, 1, None)
    stall.do(ReviseConnection(id=ebay, values={"markup_percent": 6}))
    assert stall.number(id) == 2
    stall.do(ReviseConnection(id=ebay, values={"name": "Main shop"}))
    assert stall.number(id) == 2
    stall.do(ReviseConnection(id=ebay, values={"push_prices": False}))
    assert (stall.owed(), stall.wanted(id)) == (set(), None)


def test_what_is_wanted_while_a_connection_does_not_work_is_owed_once_it_does(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    assert stall.owed("round") == {round_of(ebay)}
    stall.do(RequestTest(id=ebay))
    assert stall.owed("round") == set()
    stall.revise(id, listing_price="22.00")
    assert (stall.owed(), stall.wanted(id)) == (set(), None)
    stall.do(NoteVerified(id=ebay), "system")
    assert (stall.owed(), stall.owed("round"), stall.number(id)) == ({id}, {round_of(ebay)}, 1)
    stall.do(DeleteConnection(id=ebay))
    assert (stall.owed(), stall.owed("round")) == (set(), set())
    assert stall.rows("SELECT push_basis FROM listing") == [(None,)]
    assert stall.rows("SELECT * FROM order_cursor") == []


def test_a_price_that_cannot_be_told_is_given_up_unless_a_newer_one_is_wanted(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.revise(id, listing_price="22.00")
    stall.revise(id, listing_price="23.00")
    for number, owed in ((1, {id}), (2, set()), (2, set())):
        drop = DropPush(connection=ebay, presence=id, product=stall.product, number=number, reason="No.")
        stall.do(drop, "system")
        assert stall.owed() == owed
    stall.do(DropEnd(connection=ebay, presence=id, product=stall.product, reason="No."), "system")
    assert (stall.activity(), stall.topics(id)) == ([("push", "skipped")], ["presence.repriced.v1"] * 2)


def test_work_that_somebody_drops_is_wanted_no_more(stall: Stall) -> None:
    stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.revise(id, listing_price="22.00")
    stall.do(DropTask(subject=id, kind="listing"))
    assert (stall.wanted(id), stall.rows("SELECT push_basis FROM listing")) == (None, [(None,)])


def test_first_checks_are_spread_over_the_interval_and_later_ones_come_within_it(stall: Stall) -> None:
    ebay = stall.connect(EBAY, interval_minutes=100)
    start = stall.now
    ids = [stall.add(EBAY, str(number)) for number in range(40)]
    dues = [(due - start) / timedelta(minutes=100) for (due,) in stall.rows("SELECT due FROM listing")]
    assert min(dues) >= 0
    assert max(dues) <= 1.001
    assert {int(4 * due) for due in dues} == {0, 1, 2, 3}
    stall.check(ebay, *(Seen(id, "active", Decimal(20), "USD") for id in ids))
    for (due,) in stall.rows("SELECT due FROM listing"):
        assert timedelta(minutes=88) <= due - stall.now <= timedelta(minutes=98)
    stall.do(ReviseConnection(id=ebay, values={"interval_minutes": 10}))
    assert all(due <= stall.now + timedelta(minutes=10.5) for (due,) in stall.rows("SELECT due FROM listing"))
    with Listings(stall.url) as found:
        assert found.next_due(ebay) == min(due for (due,) in stall.rows("SELECT due FROM listing"))
        assert found.due(ebay, stall.now - timedelta(hours=1)) == []
        assert len(found.due(ebay, stall.now + timedelta(hours=1), limit=7)) == 7


def test_a_round_begins_when_the_first_of_its_listings_is_due(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    with Listings(stall.url) as found:
        stall.rows("UPDATE todo SET due = now() + interval '2 hours' RETURNING 1")
        stall.add(EBAY)
        [(due,)] = stall.rows("SELECT due FROM todo WHERE kind = 'round'")
        assert due == found.next_due(ebay)
        of = found.round(round_of(ebay))
        assert of is not None
        assert of == (ebay, stall.organization, EBAY, True, 60)
        assert found.round(uuid7()) is None


def test_a_worker_gets_what_listings_may_be_found_by(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.add_item('A-1 "x"\\')
    stall.add_item()
    [found] = stall.listings(ebay)
    assert (found.presence, found.external_id, found.currency, found.skus) == (id, "111", "USD", ('A-1 "x"\\',))
    assert (found.reference, found.version) == (None, 1)


@pytest.mark.parametrize("delete", ["presence", "product"])
def test_what_is_deleted_has_no_listing(stall: Stall, delete: str) -> None:
    stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.revise(id, listing_price="22.00")
    stall.do(DeletePresence(id, stall.product) if delete == "presence" else DeleteProduct(stall.product))
    assert (stall.rows("SELECT * FROM listing"), stall.owed()) == ([], set())


def test_nobody_checks_the_listings_of_another_organization(stall: Stall) -> None:
    mine = stall.connect(EBAY)
    id = stall.add(EBAY)
    stranger = Stall(stall.url, stall.store, uuid7())
    ebay, asked = stranger.connect(EBAY), stall.listings(mine)
    assert [listing.presence for listing in asked] == [id]
    stranger.do(NoteChecked(connection=ebay, listings=asked, seen=[Seen(id, "ended")]), "system")
    assert (stall.presence(id).status, stall.rows("SELECT checked FROM listing")) == ("active", [(None,)])
    with pytest.raises(NotFound):
        stranger.do(DropEnd(connection=ebay, presence=id, product=stall.product, reason="No."), "system")


def test_tables_that_are_made_anew_show_the_checks(stall: Stall) -> None:
    ebay, discogs = stall.connect(EBAY), stall.connect(DISCOGS)
    first, second = stall.add(EBAY), stall.add(DISCOGS, "222")
    third = stall.add(EBAY, "112", product=stall.add_product())
    stall.check(ebay, Seen(first, "active", Decimal(20), "USD"), Seen(third, "paused"))
    stall.check(discogs, Seen(second, "ended", Decimal(20), "USD"))
    stall.revise(first, listing_price="21.00")
    moved, gone = (stall.add(EBAY, id, product=stall.add_product()) for id in ("113", "114"))
    stall.check(ebay, *(Seen(id, "active", Decimal(20), "USD") for id in (moved, gone)))
    stall.revise(moved, external_listing_id="115")
    stall.do(DeletePresence(gone, stall.presence(gone).product))
    before = rows(stall.url)
    rebuild(stall.url, processes=1)
    assert rows(stall.url) == before
    stall.rows("SELECT apply_checks(NULL)")
    assert rows(stall.url) == before


def test_a_hint_has_orders_asked_for_at_once_also_while_they_are_being_asked_for(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    with Listings(stall.url) as found:
        orders = found.orders(ebay)
        assert orders is not None
        assert (orders.checked, orders.since) == (None, stall.now)
        found.orders_checked(ebay, stall.now, orders.hints)
        stall.rows("UPDATE todo SET due = now() + interval '1 hour' RETURNING 1")
        asked = found.orders(ebay)
        assert asked is not None
        assert asked.checked == stall.now
        stall.rows("SELECT hurry_orders(%s)", ebay)
        assert stall.rows("SELECT due <= now() FROM todo WHERE kind = 'round'") == [(True,)]
        found.orders_checked(ebay, stall.now, asked.hints)
        assert found.orders(ebay) == asked._replace(checked=None, hints=1)


def test_listings_that_there_are_before_the_table_is_are_put_into_it(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    stall.add(EBAY)
    stall.add(DISCOGS, "222", listing_currency="EUR", listing_price="7.50", is_selling_enabled=False)
    over = stall.add(EBAY, "112", status="sold")
    stall.add(EBAY, "")
    stall.add("plat_etsy", "333")
    columns = "presence, organization, product, platform, external_id, version, status, price, currency, is_enabled"
    listings = f"SELECT {columns}, due IS NULL FROM listing ORDER BY presence"
    before = stall.rows(listings)
    assert [row[0] for row in before if row[-1]] == [over]
    script = next(migration.sql for migration in migrations() if migration.number == 18)
    with psycopg.connect(stall.url) as connection:
        connection.execute("DELETE FROM listing")
        connection.execute("DELETE FROM order_cursor")
        connection.execute("DELETE FROM todo")
        connection.execute(script[script.index("-- Presences that there are.") :].encode())
    assert stall.rows(listings) == before
    [(subject,)] = stall.rows("SELECT t.subject FROM order_cursor AS o JOIN todo AS t ON t.subject = o.round")
    with Listings(stall.url) as found:
        of = found.round(subject)
        assert of is not None
        assert of.connection == ebay

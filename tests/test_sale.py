"""Sales on marketplaces: a copy leaves the shelf once, and all its other listings with it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.listing import NoteEnded
from commands.presence import DeletePresence
from commands.sale import RecordSale
from domain.errors import NotFound
from domain.presence.events import PresenceSold, SaleConflicted
from domain.presence.listing import Sale, Seen
from projections.listing import Listings
from tests.listings import DISCOGS, EBAY, Stall, opened

TWENTY = Decimal("20.00")


@pytest.fixture
def stall(database_url: str) -> Iterator[Stall]:
    with opened(database_url) as found:
        yield found


def ends(stall: Stall) -> dict[UUID, str]:
    return {
        row[0]: row[1] for row in stall.rows("SELECT presence, end_wanted FROM listing WHERE end_wanted IS NOT NULL")
    }


def ended(stall: Stall, connection: UUID, presence: UUID, status: str) -> None:
    product = stall.presence(presence).product
    stall.do(NoteEnded(connection=connection, presence=presence, product=product, status=status), "system")


def test_a_sale_marks_the_copy_and_ends_its_other_listings_once(stall: Stall) -> None:
    ebay, discogs = stall.connect(EBAY), stall.connect(DISCOGS)
    sold, sibling, item = stall.add(EBAY), stall.add(DISCOGS, "222"), stall.add_item()
    stall.sell(ebay, "E-1")
    log = stall.rows("SELECT count(*) FROM events")
    stall.sell(ebay, "E-1")
    assert stall.rows("SELECT count(*) FROM events") == log
    assert (stall.presence(sold).status, stall.item(item).status) == ("sold", "sold")
    assert (stall.topics(sold), stall.topics(item)) == (["presence.sold.v1"], ["inventory.revised.v1"])
    assert (ends(stall), stall.owed()) == ({sibling: "E-1"}, {sibling})
    for _ in range(2):
        ended(stall, discogs, sibling, "ended")
    assert (stall.presence(sibling).status, stall.topics(sibling)) == ("ended", ["presence.delisted.v1"])
    assert (stall.owed(), ends(stall)) == (set(), {})
    assert stall.activity() == [("sale", "changed"), ("end", "done")]


def test_a_sale_and_what_it_comes_to_are_one_transaction_with_the_cursor(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id, item = stall.add(EBAY), stall.add_item()
    stall.now += timedelta(minutes=5)
    moved = stall.now
    stall.sell(ebay, "E-1")
    [event] = stall.store.load(id, list)[1:]
    assert isinstance(event, PresenceSold)
    assert (event.order, event.order_line, event.item, event.old_status) == ("E-1", "1", item, "active")
    with Listings(stall.url) as found:
        orders = found.orders(ebay)
        assert orders is not None
        assert orders.since == moved
    stall.now -= timedelta(minutes=3)
    stall.sell(ebay, "E-0", "999")
    assert stall.rows("SELECT since FROM order_cursor") == [(moved,)]


def test_a_second_sale_of_the_copy_is_a_conflict_that_changes_nothing_else(stall: Stall) -> None:
    ebay, discogs = stall.connect(EBAY), stall.connect(DISCOGS)
    sold, sibling, item = stall.add(EBAY), stall.add(DISCOGS, "222"), stall.add_item()
    stall.sell(ebay, "E-1")
    for _ in range(2):
        stall.sell(discogs, "D-1", "222")
    assert stall.topics(sibling) == ["presence.sale-conflicted.v1"]
    [event] = stall.store.load(sibling, list)[1:]
    assert isinstance(event, SaleConflicted)
    assert (event.order, event.first_order) == ("D-1", "E-1")
    assert (stall.presence(sibling).status, stall.item(item).version) == ("active", 2)
    assert stall.topics(sold) == ["presence.sold.v1"]
    assert stall.activity() == [("sale", "changed"), ("sale", "conflict")]
    # It is to end still, for the order that was the first to say so, and shows there that it was sold.
    stall.sell(ebay, "E-2")
    assert ends(stall) == {sibling: "E-1"}
    ended(stall, discogs, sibling, "sold")
    assert (stall.presence(sibling).status, stall.owed()) == ("sold", set())


def test_a_copy_that_somebody_marked_as_sold_is_a_conflict_and_leaves_its_other_listings_too(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    stall.connect(DISCOGS)
    id, sibling, item = stall.add(EBAY), stall.add(DISCOGS, "222"), stall.add_item("A-1")
    stall.mark(item, "sold")
    stall.sell(ebay, "E-1", sku="A-1")
    assert (stall.topics(id), ends(stall)) == (["presence.sale-conflicted.v1"], {id: "", sibling: ""})


def test_a_product_without_items_is_one_copy(stall: Stall) -> None:
    ebay, discogs = stall.connect(EBAY), stall.connect(DISCOGS)
    sibling = stall.add(DISCOGS, "222")
    stall.add(EBAY)
    stall.sell(ebay, "E-1")
    assert ends(stall) == {sibling: "E-1"}
    stall.sell(discogs, "D-1", "222")
    assert stall.topics(sibling) == ["presence.sale-conflicted.v1"]


def test_while_there_are_other_copies_their_listings_stay(stall: Stall) -> None:
    ebay, discogs = stall.connect(EBAY), stall.connect(DISCOGS)
    sibling = stall.add(DISCOGS, "222")
    stall.add(EBAY)
    first, second = stall.add_item("A-1"), stall.add_item("A-2", status="received")
    stall.sell(ebay, "E-1", sku="A-2")
    assert (stall.item(first).status, stall.item(second).status, ends(stall)) == ("listed", "sold", {})
    stall.sell(discogs, "D-1", "222")
    assert (stall.item(first).status, stall.presence(sibling).status) == ("sold", "sold")
    stall.sell(ebay, "E-2", sku="A-2")
    assert stall.activity()[-1] == ("sale", "conflict")


def test_of_several_copies_none_is_marked_where_the_order_names_none(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    items = [stall.add_item("A-1"), stall.add_item("A-2")]
    stall.sell(ebay, "E-1", sku="B")
    assert [stall.item(item).status for item in items] == ["listed", "listed"]
    assert stall.presence(id).status == "sold"
    [(message,)] = stall.rows("SELECT message FROM activity")
    assert message == "Sold with order E-1. Which copy it was is not known: mark it as sold."


@pytest.mark.parametrize("status", ["sold", "shipped", "returned", "archived", "draft"])
def test_copies_that_are_not_for_sale_hold_back_no_end(stall: Stall, status: str) -> None:
    ebay = stall.connect(EBAY)
    stall.connect(DISCOGS)
    stall.add(EBAY)
    sibling, item, gone = stall.add(DISCOGS, "222"), stall.add_item(), stall.add_item("A-0", status=status)
    stall.sell(ebay, "E-1")
    assert (stall.item(item).status, stall.item(gone).status) == ("sold", status)
    assert ends(stall) == {sibling: "E-1"}


def test_siblings_that_cannot_be_ended_from_here_are_told_of_and_drafts_and_ended_ones_are_left(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    stall.connect(DISCOGS, auto_delist=False)
    stall.add(EBAY)
    by_hand = {
        stall.add(DISCOGS, "222"),
        stall.add("plat_redbubble", "333"),
        stall.add(EBAY, "112", is_selling_enabled=False),
    }
    stall.add("plat_etsy", "444", status="draft")
    stall.add(DISCOGS, "555", status="ended")
    stall.sell(ebay, "E-1")
    assert (ends(stall), stall.owed()) == ({}, set())
    told = stall.rows("SELECT presence FROM activity WHERE action = 'end' AND outcome = 'skipped'")
    assert {row[0] for row in told} == by_hand


def test_an_order_that_is_cancelled_is_told_of_once_and_changes_nothing(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id, item = stall.add(EBAY), stall.add_item()
    stall.sell(ebay, "E-0", is_cancelled=True)
    assert (stall.topics(id), stall.activity()) == ([], [])
    stall.sell(ebay, "E-1")
    for _ in range(2):
        stall.sell(ebay, "E-1", is_cancelled=True)
    assert stall.topics(id) == ["presence.sold.v1", "presence.sale-cancelled.v1"]
    assert (stall.presence(id).status, stall.item(item).status) == ("sold", "sold")
    # Put up again by hand, it is sold again.
    stall.revise(id, status="active")
    stall.mark(item, "listed")
    stall.sell(ebay, "E-2")
    assert stall.topics(id)[-1] == "presence.sold.v1"
    assert stall.presence(id).sold_with == "E-2"


def test_a_sale_that_a_check_saw_first_is_no_conflict(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id, item = stall.add(EBAY), stall.add_item()
    stall.check(ebay, Seen(id, "sold"))
    stall.sell(ebay, "E-1")
    assert stall.topics(id) == ["presence.observed.v1", "presence.sold.v1"]
    assert stall.item(item).status == "sold"


def test_an_order_of_a_listing_that_is_not_known_is_told_of_once(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    for _ in range(2):
        stall.sell(ebay, "E-1", "999")
    assert stall.activity() == [("sale", "skipped")]


def test_what_was_sold_before_it_was_deleted_and_made_anew_is_not_sold_again(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    id = stall.add(EBAY)
    stall.sell(ebay, "E-1")
    stall.do(DeletePresence(id, stall.product))
    again = stall.add(EBAY)
    stall.sell(ebay, "E-1")
    assert stall.presence(again).status == "active"


def test_a_listing_that_two_products_have_is_sold_of_the_one_whose_item_has_the_sku(stall: Stall) -> None:
    ebay, other = stall.connect(EBAY), stall.add_product()
    first, second = stall.add(EBAY), stall.add(EBAY, product=other)
    item = stall.add_item("A-1", product=other)
    stall.sell(ebay, "E-1", sku="A-1")
    assert (stall.presence(first).status, stall.presence(second).status) == ("active", "sold")
    assert stall.item(item).status == "sold"


def test_another_organizations_listing_of_the_same_name_is_not_sold(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    mine = stall.add(EBAY)
    stranger = Stall(stall.url, stall.store, uuid7())
    stranger.connect(EBAY)
    theirs = stranger.add(EBAY)
    stall.sell(ebay, "E-1")
    assert (stall.presence(mine).status, stall.presence(theirs).status) == ("sold", "active")
    with pytest.raises(NotFound):
        stranger.sell(ebay, "E-2")


def test_of_workers_that_bring_a_sale_at_once_one_counts_it(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    stall.connect(DISCOGS)
    id, sibling, item = stall.add(EBAY), stall.add(DISCOGS, "222"), stall.add_item()
    sale = RecordSale(connection=ebay, sale=Sale("E-1", "1", "111", None, TWENTY, "USD", stall.now, stall.now))
    buses = [Bus(stall.store) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(bus.execute, sale, stall.context("system")) for bus in buses]:
            done.result()
    assert (stall.topics(id), stall.topics(item)) == (["presence.sold.v1"], ["inventory.revised.v1"])
    assert ends(stall) == {sibling: "E-1"}
    assert stall.activity() == [("sale", "changed")]

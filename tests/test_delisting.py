"""What somebody marked as sold leaves the marketplaces, as what an order sold does; nothing else does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from commands.bus import Bus
from commands.inventory import ReviseItem
from commands.listing import NoteEnded
from domain.presence.events import PresenceDelisted
from tests.listings import DISCOGS, EBAY, Stall, opened


@pytest.fixture
def stall(database_url: str) -> Iterator[Stall]:
    with opened(database_url) as found:
        yield found


def ends(stall: Stall) -> dict[UUID, str]:
    return {
        row[0]: row[1] for row in stall.rows("SELECT presence, end_wanted FROM listing WHERE end_wanted IS NOT NULL")
    }


@pytest.mark.parametrize("status", ["sold", "shipped"])
def test_a_copy_that_is_marked_as_sold_leaves_all_marketplaces(stall: Stall, status: str) -> None:
    stall.connect(EBAY)
    stall.connect(DISCOGS)
    listed, item = {stall.add(EBAY), stall.add(DISCOGS, "222")}, stall.add_item()
    stall.mark(item, status)
    assert (ends(stall), stall.owed(), stall.activity()) == (dict.fromkeys(listed, ""), listed, [])
    # What was sold before is sent: nothing new.
    stall.rows("UPDATE listing SET end_wanted = NULL RETURNING 1")
    stall.mark(item, "sold" if status == "shipped" else "shipped")
    assert ends(stall) == {}


def test_the_end_says_that_no_order_is_known(stall: Stall) -> None:
    discogs = stall.connect(DISCOGS)
    id, item = stall.add(DISCOGS), stall.add_item()
    stall.mark(item, "sold")
    stall.do(NoteEnded(connection=discogs, presence=id, product=stall.product, status="ended"), "system")
    [event] = stall.store.load(id, list)[1:]
    assert isinstance(event, PresenceDelisted)
    assert (event.status, event.order, ends(stall)) == ("ended", None, {})
    assert stall.rows("SELECT message FROM activity") == [("Its copy was marked as sold here.",)]


@pytest.mark.parametrize("status", ["archived", "returned", "draft"])
def test_a_copy_that_is_put_away_ends_nothing(stall: Stall, status: str) -> None:
    stall.connect(EBAY)
    stall.add(EBAY)
    stall.mark(stall.add_item(), status)
    assert ends(stall) == {}


def test_while_there_are_other_copies_nothing_ends(stall: Stall) -> None:
    stall.connect(EBAY)
    stall.connect(DISCOGS)
    id, there = stall.add(EBAY), stall.add(DISCOGS, "222")
    first, second = stall.add_item("A-1"), stall.add_item("A-2", status="received")
    stall.mark(first, "sold")
    stall.revise(there, status="sold")
    assert ends(stall) == {}
    stall.mark(second, "sold")
    assert ends(stall) == {id: ""}


def test_of_those_who_mark_the_last_copies_at_once_one_ends_the_listings(stall: Stall) -> None:
    stall.connect(EBAY)
    id = stall.add(EBAY)
    items = [stall.add_item(f"A-{number}") for number in range(4)]
    with ThreadPoolExecutor() as pool:
        marks = [ReviseItem(id=item, values={"status": "sold"}) for item in items]
        for done in [pool.submit(Bus(stall.store).execute, mark, stall.context("key_1")) for mark in marks]:
            done.result()
    assert ends(stall) == {id: ""}


def test_a_presence_that_is_marked_as_sold_ends_its_siblings_where_there_is_no_copy(stall: Stall) -> None:
    stall.connect(EBAY)
    stall.connect(DISCOGS)
    id, sibling = stall.add(EBAY), stall.add(DISCOGS, "222")
    stall.revise(id, status="ended")
    assert ends(stall) == {}
    stall.revise(id, status="sold")
    assert (ends(stall), stall.presence(sibling).status) == ({sibling: ""}, "active")


def test_listings_that_are_ended_by_hand_are_told_of_where_there_is_somebody_to_tell(stall: Stall) -> None:
    connection = stall.connect(DISCOGS, auto_delist=False)
    id = stall.add(DISCOGS)
    stall.add("plat_redbubble", "333")
    stall.mark(stall.add_item(), "sold")
    assert ends(stall) == {}
    told = stall.rows("SELECT connection, presence, outcome, message FROM activity")
    assert told == [(connection, id, "skipped", "Its copy was marked as sold here: end it by hand.")]


def test_a_mark_that_is_taken_back_ends_nothing_any_more(stall: Stall) -> None:
    ebay = stall.connect(EBAY)
    stall.connect(DISCOGS)
    stall.add(EBAY)
    sibling, item = stall.add(DISCOGS, "222"), stall.add_item()
    stall.mark(item, "sold")
    stall.mark(item, "archived")
    assert len(ends(stall)) == 2
    stall.mark(item, "listed")
    stall.mark(item, "sold")
    stall.mark(item, "listed")
    assert (ends(stall), stall.owed()) == ({}, set())
    # What an order sold ends whatever is said here.
    stall.sell(ebay, "E-1")
    stall.mark(item, "listed")
    assert ends(stall) == {sibling: "E-1"}

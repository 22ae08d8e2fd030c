"""Presences follow what marketplaces show, prices set here get there, and what is sold on one leaves the other."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from commands.inventory import ReviseItem
from commands.settings import Settings
from tests.syncing import DISCOGS, EBAY, Syncing, syncing

HOUR = 3600.0


@pytest.fixture
def shop(settings: Settings) -> Iterator[Syncing]:
    with syncing(settings) as found:
        for platform in (EBAY, DISCOGS):
            found.connect(platform, push_prices=True, auto_delist=True)
        yield found


def test_what_a_marketplace_shows_is_here_within_an_interval(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    here = {platform: shop.seen(id) for platform, id in found.presences.items()}
    assert (here[EBAY].listing_price, here[EBAY].listing_currency) == (Decimal("24.99"), "USD")
    assert (here[DISCOGS].listing_price, here[DISCOGS].listing_currency) == (Decimal("21.00"), "EUR")
    for platform in (EBAY, DISCOGS):
        shop.reprice_there(platform, found.listings[platform], "40.00")
    shop.run(1.1 * HOUR)
    here = {platform: shop.seen(id) for platform, id in found.presences.items()}
    assert {here[EBAY].listing_price, here[DISCOGS].listing_price} == {Decimal("40.00")}
    assert here[DISCOGS].listing_price_usd == Decimal("50.00")
    assert shop.topics(found.presences[EBAY]).count("presence.observed.v1") == 2
    assert (shop.violations, shop.owed()) == ({}, [])


def test_a_price_that_is_set_here_is_told_there(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    shop.reprice(found.presences[EBAY], "30.00")
    shop.override(found.product, "50.00")
    shop.reprice(found.presences[DISCOGS], "33.00")
    shop.run(60.0)
    assert shop.price_there(EBAY, found.listings[EBAY]) == Decimal("50.00")
    assert shop.price_there(DISCOGS, found.listings[DISCOGS]) == Decimal("33.00")
    shop.revise_connection(DISCOGS, markup_percent=10)
    shop.run(60.0)
    assert shop.price_there(DISCOGS, found.listings[DISCOGS]) == Decimal("44.00")
    assert shop.seen(found.presences[DISCOGS]).listing_price == Decimal("44.00")
    assert (shop.violations, shop.owed()) == ({}, [])


def test_a_record_that_is_sold_on_one_leaves_the_other_within_an_interval_once(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    assert shop.sell(DISCOGS, found.listings[DISCOGS])
    shop.run(HOUR)
    assert shop.status_of(found.item) == "sold"
    assert not shop.is_for_sale(EBAY, found.listings[EBAY])
    shop.run(3 * HOUR)
    assert [shop.seen(id).status for id in found.presences.values()] == ["ended", "sold"]
    assert shop.topics(found.presences[EBAY]).count("presence.delisted.v1") == 1
    assert shop.topics(found.presences[DISCOGS]).count("presence.sold.v1") == 1
    assert sum(count for call, count in shop.ebay.calls.items() if call.endswith("/withdraw")) == 1
    assert (shop.violations, shop.owed()) == ({}, [])


def test_a_copy_that_is_marked_as_sold_here_leaves_the_marketplaces(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.bus.execute(ReviseItem(id=found.item, values={"status": "sold"}), shop.context)
    shop.run(60.0)
    for platform in (EBAY, DISCOGS):
        assert not shop.is_for_sale(platform, found.listings[platform])
        assert shop.topics(found.presences[platform])[-1] == "presence.delisted.v1"
        assert ("end", "done", "Its copy was marked as sold here.") in shop.activity(platform, "done")
    assert (shop.violations, shop.owed()) == ({}, [])


def test_a_listing_that_shows_that_it_is_sold_has_its_order_read_at_once(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    shop.rows("UPDATE order_cursor SET checked = %s RETURNING 1", shop.clock.now())
    assert shop.sell(EBAY, found.listings[EBAY])
    shop.rows("UPDATE listing SET due = %s WHERE platform = %s RETURNING 1", shop.clock.now(), EBAY)
    shop.rows("UPDATE todo SET due = %s WHERE kind = 'round' RETURNING 1", shop.clock.now())
    shop.run(60.0)
    assert shop.status_of(found.item) == "sold"
    assert not shop.is_for_sale(DISCOGS, found.listings[DISCOGS])


def test_a_copy_that_is_sold_twice_is_a_conflict_that_shows(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    assert shop.sell(DISCOGS, found.listings[DISCOGS])
    assert shop.sell(EBAY, found.listings[EBAY])
    shop.run(2 * HOUR)
    topics = [topic for id in found.presences.values() for topic in shop.topics(id)]
    assert (topics.count("presence.sold.v1"), topics.count("presence.sale-conflicted.v1")) == (1, 1)
    conflicts = [entry for platform in (EBAY, DISCOGS) for entry in shop.activity(platform, "conflict")]
    assert len(conflicts) == 1
    assert shop.owed() == []


def test_credentials_that_are_refused_stop_the_work_until_there_are_others(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    shop.ebay.tokens.expire(revoke=True)
    shop.reprice(found.presences[EBAY], "30.00")
    shop.run(2 * HOUR)
    assert shop.connection(EBAY).status == "reconnect"
    assert len(shop.activity(EBAY, "failed")) == 1
    kinds = shop.rows("SELECT kind FROM todo WHERE kind IN ('round', 'listing')")
    assert kinds == [("round",)]
    asked = sum(shop.ebay.calls.values())
    shop.run(5 * HOUR)
    assert sum(shop.ebay.calls.values()) == asked
    shop.reconnect(EBAY)
    shop.run(2 * HOUR)
    assert (shop.connection(EBAY).status, shop.owed()) == ("connected", [])
    assert shop.price_there(EBAY, found.listings[EBAY]) == Decimal("30.00")


def test_a_marketplace_that_is_away_is_told_of_once_and_again_when_it_is_back(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    shop.fault(EBAY, "status", status=503, times=10_000)
    shop.reprice(found.presences[EBAY], "30.00")
    shop.run(12 * HOUR)
    told = shop.activity(EBAY, "failed")
    assert len(told) == len({*told}) <= 4
    assert "push" in {action for action, _, _ in told}
    assert sum(shop.ebay.calls.values()) < 500
    shop.end_faults()
    shop.run(2 * HOUR)
    assert shop.price_there(EBAY, found.listings[EBAY]) == Decimal("30.00")
    assert "It answers again." in [message for _, _, message in shop.activity(EBAY, "done")]
    assert (shop.violations, shop.owed()) == ({}, [])


def test_what_waits_for_its_turn_has_it_soon_after_it_is_free(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.reprice(found.presences[EBAY], "30.00")
    with shop.desk.turns.taken(EBAY, shop.connections[EBAY], "listing"):
        # With rounds, which look again every two seconds.
        assert shop.run(60.0) < 45
    # It has waited for a minute: it waits for less than another.
    shop.run(30.0)
    assert shop.price_there(EBAY, found.listings[EBAY]) == Decimal("30.00")


def test_a_marketplace_is_left_alone_for_as_long_as_it_wishes(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    shop.fault(DISCOGS, "status", status=429, retry_after=600)
    shop.reprice(found.presences[DISCOGS], "30.00")
    asked = sum(shop.discogs.calls.values())
    shop.run(590.0)
    assert sum(shop.discogs.calls.values()) == asked + 1
    shop.run(600.0)
    assert shop.price_there(DISCOGS, found.listings[DISCOGS]) == Decimal("30.00")
    assert (shop.activity(DISCOGS, "failed"), shop.owed()) == ([], [])


def test_a_price_that_is_refused_for_good_is_told_of_and_wanted_no_more(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    shop.discogs.shop.set_status({"listing_id": found.listings[DISCOGS], "status": "Suspended"})
    shop.reprice(found.presences[DISCOGS], "30.00")
    shop.run(HOUR)
    [(action, _, message)] = shop.activity(DISCOGS, "failed")
    assert (action, message) == ("push", "The listing is not for sale: Discogs shows it as 'Suspended'.")
    assert shop.seen(found.presences[DISCOGS]).status == "error"
    assert shop.owed() == []


def test_a_listing_that_is_gone_there_is_gone_here(shop: Syncing) -> None:
    found = shop.record("LP-1")
    shop.run(HOUR)
    del shop.discogs.shop.listings[int(found.listings[DISCOGS])]
    shop.ebay.shop.end({"listing_id": found.listings[EBAY]})
    shop.run(1.1 * HOUR)
    assert [shop.seen(id).status for id in found.presences.values()] == ["ended", "removed"]
    calls = sum(shop.discogs.calls.values())
    shop.run(0.9 * HOUR)
    # Nobody looks at what is over; orders are asked for.
    assert sum(shop.discogs.calls.values()) <= calls + 1

"""Accounts whose marketplace fails, is slow, or wants to be left alone; and several of them at once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from commands.settings import Settings
from domain.presence.listing import Listing, Seen
from projections.credential import Credentials
from tests.accounts import Opened, listing, opened, settings_of
from tests.marketplaces import START, discogs, ebay
from tests.simulated import Simulated
from workers.leases import Abandoned
from workers.marketplaces.base import Limited, Transient
from workers.marketplaces.gate import FAILURES
from workers.marketplaces.registry import Marketplaces

DEEDS: dict[str, Callable[[Opened, Listing], Any]] = {
    "verify": lambda seller, _: seller.account.verify(),
    "read": lambda seller, known: list(seller.account.read([known])),
    "set_price": lambda seller, known: seller.account.set_price(known, Decimal("30.00")),
    "end": lambda seller, known: seller.account.end(known),
    "orders": lambda seller, _: list(seller.account.orders(START)),
}
WORK = {"ebay": "/sell", "discogs": "/"}
"""What is no asking for a token."""
MARKETS = {"ebay": ebay, "discogs": discogs}


class Shop(NamedTuple):
    seller: Opened
    known: Listing

    def does(self, deed: str) -> Any:
        return DEEDS[deed](self.seller, self.known)

    def fault(self, times: int = 1, **fault: Any) -> None:
        self.seller.market.admin("faults", path=WORK[self.seller.market.vendor.name], times=times, **fault)

    def later(self, seconds: float) -> None:
        self.seller.market.vendor.clock.move(seconds)


def put_up(seller: Opened) -> Listing:
    made = seller.market.admin("listings", price="21.00")
    if seller.market.vendor.name == "discogs":
        return listing(made["id"], "EUR")
    return listing(made["listingId"], reference={"offer_id": made["offerId"], "sku": made["sku"]})


@pytest.fixture(params=MARKETS)
def shop(request: pytest.FixtureRequest, limits: Settings) -> Iterator[Shop]:
    with MARKETS[request.param]() as market, opened(limits, market) as seller:
        yield Shop(seller, put_up(seller))
        assert market.vendor.violations == {}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_may_pass_is_told_from_what_will_not_whatever_is_done(shop: Shop, deed: str) -> None:
    for fault in (
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503, "retry_after": 7},
        {"kind": "html"},
        {"kind": "lost"},
    ):
        shop.fault(**fault)
        with pytest.raises(Transient) as caught:
            shop.does(deed)
        assert not isinstance(caught.value, Limited)
        assert caught.value.after_seconds == fault.get("retry_after")
        found = shop.seller.breaker()
        assert found is not None
        assert (found.state, found.failures) == ("closed", 1)
        shop.does(deed)
        assert shop.seller.breaker() is None


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("retry_after", [None, 100])
def test_who_was_asked_too_often_is_left_alone_by_all_and_no_breaker_counts_it(
    shop: Shop, limits: Settings, deed: str, retry_after: int | None
) -> None:
    shop.fault(kind="status", status=429, retry_after=retry_after)
    with pytest.raises(Limited) as caught:
        shop.does(deed)
    wait = caught.value.after_seconds
    assert wait is not None
    assert wait == retry_after if retry_after else 60 <= wait <= 90
    shop.seller.calls()
    # Another account spends of the same limit.
    with opened(limits, shop.seller.market) as other:
        for one in (shop, Shop(other, shop.known)):
            with pytest.raises(Limited) as caught:
                one.does(deed)
            assert caught.value.after_seconds == pytest.approx(wait, abs=0.1)
        assert shop.seller.calls() == {}
        shop.later(wait)
        shop.does(deed)
    assert shop.seller.breaker() is None


@pytest.mark.parametrize("market", MARKETS)
def test_an_answer_that_does_not_come_in_time_is_none(limits: Settings, market: str) -> None:
    with MARKETS[market]() as there, opened(limits, there, answer_seconds=0.2) as seller:
        shop = Shop(seller, put_up(seller))
        shop.does("read")
        shop.fault(kind="slow", seconds=0.6)
        with pytest.raises(Transient, match="No answer came"):
            shop.does("set_price")
        shop.does("set_price")


def test_a_breaker_leaves_a_broken_connection_alone_and_no_other_one(shop: Shop, limits: Settings) -> None:
    shop.does("read")
    shop.fault(times=FAILURES, kind="status", status=503)
    for _ in range(FAILURES):
        with pytest.raises(Transient):
            shop.does("read")
    shop.seller.calls()
    with pytest.raises(Limited, match="failed too often") as caught:
        shop.does("read")
    assert caught.value.after_seconds is not None
    assert 15 <= caught.value.after_seconds <= 30
    assert shop.seller.calls() == {}
    found = shop.seller.breaker()
    assert found is not None
    assert (found.state, found.reason) == ("open", "The marketplace answered with status 503.")
    with opened(limits, shop.seller.market) as other:
        assert Shop(other, shop.known).does("read")
    # It is tried, is as broken as it was, and is left alone for longer.
    shop.later(30)
    shop.fault(kind="html")
    with pytest.raises(Transient):
        shop.does("read")
    with pytest.raises(Limited) as caught:
        shop.does("read")
    assert caught.value.after_seconds is not None
    assert 30 <= caught.value.after_seconds <= 60
    # Whoever asks for a test gets one, and it closes.
    shop.does("verify")
    assert shop.seller.breaker() is None
    shop.does("read")


@pytest.mark.parametrize("deed", ["verify", "read", "orders"])
def test_answers_that_make_no_sense_open_the_breaker_too(shop: Shop, deed: str) -> None:
    shop.does("read")
    shop.fault(times=FAILURES, kind="garbled")
    for _ in range(FAILURES):
        with pytest.raises(Transient, match="not what it should be"):
            shop.does(deed)
    found = shop.seller.breaker()
    assert found is not None
    assert found.state == "open"


def test_a_trial_that_comes_to_a_limit_leaves_the_breaker_to_another_one(shop: Shop) -> None:
    shop.fault(times=FAILURES, kind="status", status=503)
    for _ in range(FAILURES):
        with pytest.raises(Transient):
            shop.does("orders")
    shop.later(31)
    shop.fault(kind="status", status=429, retry_after=1)
    with pytest.raises(Limited, match="asked too often"):
        shop.does("orders")
    shop.later(1)
    shop.does("orders")
    assert shop.seller.breaker() is None


def test_who_is_to_stop_stops_before_a_request_and_while_it_waits(limits: Settings) -> None:
    left = 2

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Abandoned

    with discogs() as market, opened(limits, market, check=check) as seller:
        known = put_up(seller)
        Shop(seller, known).does("read")
        seller.calls()
        # It waits for its turn in slices.
        left = 2
        with pytest.raises(Abandoned):
            Shop(seller, known).does("read")
        assert (seller.slept, seller.calls()) == ([0.5, 0.5], {})
        # Before there is a turn, and again once the request is signed, which may have taken long.
        for checks in (0, 1):
            left = checks
            market.vendor.clock.move(60)
            with pytest.raises(Abandoned):
                Shop(seller, known).does("read")
            assert seller.calls() == {}


def test_all_accounts_of_an_address_keep_its_limit_together(limits: Settings) -> None:
    with discogs() as market, ExitStack() as stack:
        time, there, done = Simulated(market.vendor.clock), settings_of(limits, market), list[int]()
        with opened(limits, market) as seller:
            known = [put_up(seller) for _ in range(5)]
            marketplaces = stack.enter_context(Marketplaces(there, time.clock.now, time.sleep))

            def one() -> None:
                with Credentials(there.database_url) as credentials:
                    account = marketplaces.account(seller.connection, "plat_discogs", credentials)
                    for number in range(45):
                        [found] = account.read([known[number % 5]])
                        assert isinstance(found, Seen)
                        done.append(number)

            time.run(one, one, one, one)
        taken = (time.clock.now() - START).total_seconds()
        assert (len(done), market.vendor.violations) == (180, {})
        # Nine tenths of what there is are used.
        assert taken == pytest.approx(179 / 0.9, abs=1)


def test_when_others_spend_of_an_addresss_limit_it_is_kept_all_the_same(limits: Settings) -> None:
    with discogs() as market, opened(limits, market) as seller:
        known = put_up(seller)
        for _ in range(55):
            market.client.get("/oauth/identity")
        shop, read = Shop(seller, known), 0
        while read < 20:
            try:
                shop.does("read")
                read += 1
            except Limited as error:
                shop.later(error.after_seconds or 0)
        assert market.vendor.violations == {}
        # It stood still until those were forgotten.
        assert seller.now - START > timedelta(seconds=60)
        assert seller.standing()["discogs"].remaining is not None


def test_a_days_calls_that_are_spent_are_so_until_ebay_says(limits: Settings) -> None:
    with ebay() as market, opened(limits, market) as seller:
        shop = Shop(seller, put_up(seller))
        market.admin("limits", inventory=1)
        shop.does("read")
        with pytest.raises(Limited) as caught:
            shop.does("read")
        assert caught.value.after_seconds == 14 * 3600
        assert market.vendor.violations == {"rate_limit": 1}
        seller.calls()
        with pytest.raises(Limited):
            shop.does("read")
        assert seller.calls() == {}
        shop.later(14 * 3600)
        shop.does("read")

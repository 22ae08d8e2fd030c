"""What marketplaces say of a presence: decisions, without a database."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.currencies import MINOR_UNITS
from domain.inventory import inventory
from domain.inventory.inventory import Item
from domain.presence import presence as presences
from domain.presence import syncing
from domain.presence.events import (
    PresenceCreated,
    PresenceDelisted,
    PresenceObserved,
    PresenceSold,
    PricePushed,
    SaleCancelled,
    SaleConflicted,
)
from domain.presence.listing import Sale, Seen
from domain.presence.presence import Presence, fold
from domain.presence.prices import Rating
from domain.presence.pushing import NO_AMOUNT, NO_PRICE, NO_RATE, Basis, target
from domain.presence.selling import Verdict, judge
from domain.rates import Rate
from tests.scenario import NOW, STAMP, scenario

ID, PRODUCT = UUID("01a20000-0000-7000-8000-0000000000bb"), UUID("01a20000-0000-7000-8000-0000000000aa")
LATER = STAMP._replace(timestamp=NOW + timedelta(days=1), actor="system")
TEN, TWELVE = Decimal("10.00"), Decimal("12.00")
DISCOGS_CURRENCIES = ("USD", "GBP", "EUR", "CAD", "AUD", "JPY", "CHF", "MXN", "BRL", "NZD", "SEK", "ZAR")
SALE = Sale("E-1", "1", "111", None, TEN, "USD", NOW, NOW)

given = scenario(presences.evolve)


def created(id: UUID = ID, **values: Any) -> PresenceCreated:
    base = {"platform_uid": "plat_ebay", "status": "active", "listing_currency": "USD", "listing_price": TEN}
    return presences.create(id, PRODUCT, 7, {**base, **values}, STAMP)


def rating(per_euro: str, usd_per_euro: str = "1.10", age_days: int = 0) -> Rating:
    today = NOW.date()
    return Rating(Rate(today - timedelta(days=age_days), Decimal(per_euro), Decimal(usd_per_euro)), today, 7)


@pytest.mark.parametrize(
    "seen",
    [
        Seen(ID, "active", TEN, "USD"),
        Seen(ID, "active", Decimal(10)),
        Seen(ID, "active"),
        Seen(ID, "active", Decimal(0), "USD"),
        Seen(ID, "active", Decimal("NaN"), "USD"),
        Seen(ID, "active", Decimal(-3), "USD"),
        Seen(ID, "active", Decimal("1e30"), "USD"),
        Seen(ID, "active", TWELVE, "???"),
    ],
)
def test_what_is_known_and_what_is_no_price_is_no_news(seen: Seen) -> None:
    given(created()).when(lambda p: syncing.observe(p, seen, LATER)).then(version=1, last_checked_at=None)


def test_a_price_that_the_marketplace_shows_is_the_price_from_then_on() -> None:
    when = given(created()).when(lambda p: syncing.observe(p, Seen(ID, "active", TWELVE, "USD"), LATER))
    at = LATER.timestamp
    when.then(
        PresenceObserved, listing_price=TWELVE, listing_price_usd=TWELVE, price_last_updated=at, last_checked_at=at
    )
    [event] = when.events
    assert isinstance(event, PresenceObserved)
    assert (event.old_listing_price, event.old_status, event.status) == (TEN, "active", "active")


def test_a_status_that_the_marketplace_shows_leaves_the_price_its_time() -> None:
    when = given(created()).when(lambda p: syncing.observe(p, Seen(ID, "ended"), LATER))
    when.then(PresenceObserved, status="ended", listing_price=TEN, price_last_updated=NOW, updated=LATER.timestamp)


def test_a_price_in_another_currency_is_converted_or_has_none_in_usd() -> None:
    seen = Seen(ID, "active", Decimal(2500), "JPY")
    when = given(created()).when(lambda p: syncing.observe(p, seen, LATER, rating("150.00")))
    when.then(PresenceObserved, listing_currency="JPY", listing_price_usd=Decimal("18.33"), usd_rate_date=NOW.date())
    when = given(created()).when(lambda p: syncing.observe(p, seen, LATER))
    when.then(PresenceObserved, listing_price=Decimal(2500), listing_price_usd=None)


def test_a_price_that_is_newer_here_stays() -> None:
    seen = Seen(ID, "paused", TWELVE, "USD")
    when = given(created()).when(lambda p: syncing.observe(p, seen, LATER, adopts_price=False))
    when.then(PresenceObserved, status="paused", listing_price=TEN)


def test_a_price_that_was_told_is_the_listings() -> None:
    when = given(created()).when(lambda p: syncing.push(p, 3, TWELVE, LATER))
    when.then(PricePushed, listing_price=TWELVE, listing_price_usd=TWELVE, price_last_updated=LATER.timestamp)
    when = given(created()).when(lambda p: syncing.push(p, 3, TEN, LATER))
    when.then(PricePushed, listing_price=TEN, price_last_updated=NOW, version=2)


def test_a_sale_is_what_it_was_sold_with_until_it_is_for_sale_again() -> None:
    item = uuid4()
    sold = given(created()).when(lambda p: syncing.sell(p, SALE, item, LATER))
    sold.then(PresenceSold, status="sold", sold_with="E-1", is_over=True)
    history = (created(), *sold.events)
    again = given(*history).when(lambda p: presences.revise(p, {"status": "active"}, LATER))
    after = again.then(type(again.events[0]), status="active", sold_with=None)
    assert after is not None
    given(*history).when(lambda p: presences.revise(p, {"image_url": "https://x"}, LATER)).then(
        type(again.events[0]), sold_with="E-1"
    )
    given(*history).when(lambda p: syncing.conflict(p, SALE, item, "E-0", LATER)).then(
        SaleConflicted, status="sold", sold_with="E-1", version=3
    )
    given(*history).when(lambda p: syncing.cancel(p, SALE, LATER)).then(SaleCancelled, status="sold", version=3)


def test_it_is_delisted_once() -> None:
    when = given(created()).when(lambda p: syncing.delist(p, "paused", "E-1", LATER))
    when.then(PresenceDelisted, status="paused", sold_with=None)
    for status in ("paused", "ended", "removed", "sold"):
        given(created(status=status)).when(lambda p: syncing.delist(p, "paused", "E-1", LATER)).then(version=1)


def test_another_listing_was_not_looked_at() -> None:
    seen = given(created(external_listing_id="111")).when(lambda p: syncing.observe(p, Seen(ID, "paused"), LATER))
    given(created(external_listing_id="111"), *seen.events).when(
        lambda p: presences.revise(p, {"external_listing_id": "112"}, LATER)
    ).then(type(presences.revise(_folded(), {"status": "draft"}, LATER)[0]), last_checked_at=None)


def _folded(*events: Any) -> Presence:
    found = fold([created(), *events])
    assert found is not None
    return found


def priced(
    basis: Basis, currency: str, price: Decimal | None = None, override: Decimal | None = None, **values: Any
) -> tuple[Decimal | None, str | None]:
    given: dict[str, Any] = {"markup_percent": 0, "rating": None, **values}
    return target(basis, currency, listing_price=price, override_usd=override, **given)


_amounts = st.decimals("0.01", "100000", places=2)


@for_all(_amounts, st.sampled_from(DISCOGS_CURRENCIES), st.integers(0, 500))
def test_a_price_set_at_the_presence_is_told_as_it_is(amount: Decimal, currency: str, markup: int) -> None:
    price, reason = priced("listing", currency, amount, TEN, markup_percent=markup, rating=rating("2"))
    if MINOR_UNITS.get(currency, 2) == 2:
        assert (price, reason) == (amount, None)
    elif price is None:
        assert reason == NO_AMOUNT
    else:
        assert abs(price - amount) <= Decimal("0.5")


@for_all(
    _amounts,
    st.sampled_from(DISCOGS_CURRENCIES),
    st.integers(0, 500),
    st.decimals("0.5", "200", places=4),
    st.decimals("0.5", "2", places=4),
)
def test_a_price_by_rule_is_exact_to_the_smallest_coin(
    amount: Decimal, currency: str, markup: int, per_euro: Decimal, usd: Decimal
) -> None:
    rate = rating(str(usd if currency == "USD" else per_euro), str(usd))
    price, reason = priced("rule", currency, None, amount, markup_percent=markup, rating=rate)
    exact = amount * (100 + markup) / 100
    if currency != "USD":
        exact = exact * per_euro / usd
    places = MINOR_UNITS.get(currency, 2)
    if price is None:
        assert reason == NO_AMOUNT
        assert exact <= Decimal(5).scaleb(-places - 1)
        return
    assert abs(price - exact) <= Decimal(5).scaleb(-places - 1)
    assert price.as_tuple().exponent == -places
    assert price > 0


@pytest.mark.parametrize("found", [None, Rating(None, NOW.date(), 7), rating("2", age_days=8)])
def test_without_a_rate_that_is_young_enough_nothing_is_told(found: Rating | None) -> None:
    assert priced("rule", "EUR", TEN, TEN, rating=found) == (None, NO_RATE)
    assert priced("rule", "USD", TEN, TWELVE, rating=found) == (TWELVE, None)
    assert priced("listing", "EUR", TEN, TWELVE, rating=found) == (TEN, None)


def test_without_a_price_nothing_is_told() -> None:
    assert priced("rule", "USD", TEN) == (None, NO_PRICE)
    assert priced("listing", "USD", None, TEN) == (None, NO_PRICE)
    assert priced("rule", "USD", None, Decimal("9999999999.00"), markup_percent=1) == (None, NO_AMOUNT)
    assert priced("rule", "JPY", None, Decimal("0.01"), rating=rating("1")) == (None, NO_AMOUNT)


def copy(status: str = "listed", sku: str | None = None) -> Item:
    found = inventory.fold([inventory.create(uuid4(), PRODUCT, 1, {"status": status, "manual_sku": sku}, STAMP)])
    assert found is not None
    return found


def sold(order: str) -> Presence:
    return _folded(syncing.sell(_folded(), SALE._replace(order=order), None, LATER))


def test_the_copy_with_the_orders_sku_is_sold_or_else_the_only_one_that_can_be() -> None:
    first, second, gone = copy(sku="A-1"), copy(sku="A-2"), copy("shipped", "A-3")
    there = _folded()
    assert judge(SALE._replace(sku="A-2"), there, [], [first, second]) == Verdict(second)
    assert judge(SALE, there, [], [first, gone]) == Verdict(first, is_last=True)
    assert judge(SALE, there, [], [first, second]) == Verdict(None)
    assert judge(SALE, there, [], [copy("draft")]) == Verdict(None, is_last=True)
    assert judge(SALE, there, [], []) == Verdict(None, is_last=True)


def test_what_was_sold_before_is_a_conflict_with_the_first_order_where_it_is_known() -> None:
    first, gone = copy(sku="A-1"), copy("sold", "A-2")
    there = _folded()
    assert judge(SALE._replace(sku="A-2"), there, [], [first, gone]) == Verdict(gone, is_conflict=True)
    assert judge(SALE, there, [sold("D-1")], [gone]) == Verdict(None, True, is_conflict=True, first_order="D-1")
    assert judge(SALE, there, [sold("D-1")], []) == Verdict(None, True, is_conflict=True, first_order="D-1")
    assert judge(SALE, sold("E-0"), [], []) == Verdict(None, True, is_conflict=True, first_order="E-0")
    # There is one left: of a listing of several, this is the next.
    assert judge(SALE, sold("E-0"), [], [first, gone]) == Verdict(first, is_last=True)

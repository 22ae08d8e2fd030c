"""The connector of Discogs against the server that is as strict as Discogs."""

from collections.abc import Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest

from commands.settings import Settings
from domain.presence.listing import Listing, Sale, Seen, Unseen
from tests.accounts import Opened, listing, opened
from tests.discogs_consent import consented
from tests.marketplaces import START, discogs
from workers.marketplaces.base import Permanent, Reconnect, Transient

LISTINGS, INVENTORY, ORDERS = "/marketplace/listings", "/users/seller/inventory", "/marketplace/orders"


@pytest.fixture
def seller(limits: Settings) -> Iterator[Opened]:
    with discogs() as market, opened(limits, market) as found:
        yield found
        assert market.vendor.violations == {}


def put_up(seller: Opened, **said: Any) -> int:
    id: int = seller.market.admin("listings", **said)["id"]
    return id


def known(id: object) -> Listing:
    return listing(id, "EUR")


def shown(seller: Opened, id: int) -> dict[str, Any]:
    """Return a listing as it is, without spending of the limit."""
    state = seller.market.client.get("/_sandbox/state").json()
    [found] = [one for one in state["listings"] if one["id"] == id]
    return dict(found)


def test_a_listing_shows_what_was_listed_and_not_what_was_converted(seller: Opened) -> None:
    asked = known(put_up(seller, price="21.00"))
    assert list(seller.account.read([asked])) == [Seen(asked.presence, "active", Decimal("21.00"), "EUR")]
    assert seller.calls() == {f"GET {LISTINGS}/{asked.external_id}": 1}


def test_many_are_read_by_pages_and_the_rest_one_by_one(seller: Opened) -> None:
    ids = [put_up(seller) for _ in range(230)]
    seller.market.admin("statuses", listing_id=ids[0], status="Suspended")
    asked = [known(id) for id in ids]
    found = list(seller.account.read([*asked, known(1)]))
    assert {one.presence for one in found} > {one.presence for one in asked}
    assert sorted(one.status for one in found if isinstance(one, Seen)) == ["active"] * 229 + ["error", "removed"]
    assert seller.calls() == {
        "GET /oauth/identity": 1,
        f"GET {INVENTORY}": 3,
        f"GET {LISTINGS}/{ids[0]}": 1,
        f"GET {LISTINGS}/1": 1,
    }


def test_few_of_many_are_read_one_by_one(seller: Opened) -> None:
    ids = [put_up(seller) for _ in range(450)]
    # The first page says that there are five of them: the three that it did not have are fewer than the pages left.
    few = [known(id) for id in (ids[0], *ids[300:303])]
    assert len(list(seller.account.read(few))) == 4
    calls = seller.calls()
    assert (calls[f"GET {INVENTORY}"], sum(f"GET {LISTINGS}/" in call for call in calls)) == (1, 3)
    # Now that is known beforehand.
    assert len(list(seller.account.read(few))) == 4
    assert f"GET {INVENTORY}" not in seller.calls()


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("For Sale", "active"),
        ("Draft", "paused"),
        ("Sold", "sold"),
        ("Expired", "ended"),
        ("Suspended", "error"),
        ("Violation", "error"),
        ("Deleted", "removed"),
    ],
)
def test_what_becomes_of_a_listing_is_its_status(seller: Opened, status: str, ours: str) -> None:
    id = put_up(seller)
    seller.market.admin("statuses", listing_id=id, status=status)
    [found] = seller.account.read([known(id)])
    assert isinstance(found, Seen)
    assert found.status == ours


def test_what_is_no_id_and_what_is_another_sellers_is_not_read(seller: Opened) -> None:
    seller.market.vendor.shop.others.add(put_up(seller))  # type: ignore[attr-defined]
    [theirs] = seller.market.vendor.shop.others  # type: ignore[attr-defined]
    found = list(seller.account.read([known("../orders"), known(theirs)]))
    assert [type(one) for one in found] == [Unseen, Unseen]
    with pytest.raises(Permanent, match="another seller's"):
        seller.account.set_price(known(theirs), Decimal("1.00"))
    with pytest.raises(Permanent, match="digits"):
        seller.account.end(known("../orders"))


def test_a_price_is_set_and_all_else_is_kept(seller: Opened) -> None:
    said = {"allow_offers": True, "comments": "First press", "external_id": "LP-1", "location": "A1"}
    id = put_up(seller, **said, weight=230, format_quantity=2, sleeve_condition="Generic", condition="Poor (P)")
    before = shown(seller, id)
    seller.account.set_price(known(id), Decimal("22.5"))
    assert shown(seller, id) == {**before, "price": "22.50"}
    assert seller.calls() == {f"GET {LISTINGS}/{id}": 1, f"POST {LISTINGS}/{id}": 1}
    # It has it already.
    seller.account.set_price(known(id), Decimal("22.50"))
    assert seller.calls() == {f"GET {LISTINGS}/{id}": 1}


def test_a_draft_is_priced_and_stays_one(seller: Opened) -> None:
    id = put_up(seller, status="Draft")
    seller.account.set_price(known(id), Decimal(30))
    assert (shown(seller, id)["status"], shown(seller, id)["price"]) == ("Draft", "30.00")


@pytest.mark.parametrize("status", ["Sold", "Expired", "Suspended", "Violation", "Deleted"])
def test_what_is_not_for_sale_takes_no_price(seller: Opened, status: str) -> None:
    id = put_up(seller)
    seller.market.admin("statuses", listing_id=id, status=status)
    with pytest.raises(Permanent):
        seller.account.set_price(known(id), Decimal(30))
    assert seller.calls() == {f"GET {LISTINGS}/{id}": 1}


def test_no_price_is_set_in_a_currency_that_is_not_the_sellers(seller: Opened) -> None:
    id = put_up(seller)
    with pytest.raises(Permanent, match="in EUR: no price in USD"):
        seller.account.set_price(listing(id, "USD"), Decimal(30))
    seller.market.admin("faults", kind="wrong_currency")
    with pytest.raises(Permanent, match="in GBP: no price in EUR"):
        seller.account.set_price(known(id), Decimal(30))
    with pytest.raises(Permanent, match="no price"):
        seller.account.set_price(known(id), Decimal("30.001"))
    assert shown(seller, id)["price"] == "21.00"


def test_yen_have_no_places(limits: Settings) -> None:
    with discogs(currency="JPY") as market, opened(limits, market) as seller:
        id = put_up(seller, price="2500")
        seller.account.set_price(listing(id, "JPY"), Decimal("2600.00"))
        asked = listing(id, "JPY")
        assert list(seller.account.read([asked])) == [Seen(asked.presence, "active", Decimal(2600), "JPY")]
        with pytest.raises(Permanent):
            seller.account.set_price(asked, Decimal("2600.50"))
        assert market.vendor.violations == {}


def test_a_currency_that_is_news_is_asked_for_twice(seller: Opened) -> None:
    id = put_up(seller)
    seller.market.admin("faults", kind="wrong_currency", path=f"{LISTINGS}/{id}")
    [found] = seller.account.read([known(id)])
    assert found[1:] == ("Discogs does not show the same currency twice.",)
    # One that stays is the seller's.
    [found] = seller.account.read([listing(id, "USD")])
    assert isinstance(found, Seen)
    assert found.currency == "EUR"


def test_a_listing_is_paused_with_all_that_it_has_and_what_sold_stays_sold(seller: Opened) -> None:
    id = put_up(seller, allow_offers=True, comments="First press", weight=230)
    before = shown(seller, id)
    assert [seller.account.end(known(id)) for _ in range(2)] == ["paused", "paused"]
    assert shown(seller, id) == {**before, "status": "Draft"}
    sold = put_up(seller)
    seller.market.admin("sales", listing_id=sold)
    assert seller.account.end(known(sold)) == "sold"
    assert shown(seller, sold)["status"] == "Sold"
    for status, ended in (("Deleted", "ended"), ("Expired", "ended"), ("Violation", "ended")):
        other = put_up(seller)
        seller.market.admin("statuses", listing_id=other, status=status)
        assert seller.account.end(known(other)) == ended


def test_a_buyer_who_is_faster_than_an_end_is_seen(seller: Opened) -> None:
    id = put_up(seller)
    seller.market.admin("faults", kind="sold", method="POST", path=f"{LISTINGS}/{id}")
    assert seller.account.end(known(id)) == "sold"


def test_what_was_done_and_never_answered_is_done_again_without_harm(seller: Opened) -> None:
    id = put_up(seller, allow_offers=True)
    for deed in (lambda: seller.account.set_price(known(id), Decimal(30)), lambda: seller.account.end(known(id))):
        seller.market.admin("faults", kind="lost", method="POST", path=f"{LISTINGS}/{id}")
        with pytest.raises(Transient):
            deed()
        deed()
    assert [shown(seller, id)[name] for name in ("price", "status", "allow_offers")] == ["30.00", "Draft", True]


def test_orders_come_by_their_last_move_and_are_cancelled_by_their_status(seller: Opened) -> None:
    ids = [put_up(seller, price="21.00") for _ in range(4)]
    for id in ids:
        seller.market.admin("sales", listing_id=id)
        seller.market.admin("clock", seconds=3600)
    for order, status in (("1-1", "Cancelled (Non-Paying Buyer)"), ("1-2", "Merged"), ("1-3", "Payment Received")):
        seller.market.admin("settle", order_id=order, status=status)
        seller.market.admin("clock", seconds=60)
    found = list(seller.account.orders(START))
    assert [(sale.order, sale.is_cancelled) for sale in found] == [
        ("1-4", False), ("1-1", True), ("1-2", True), ("1-3", False),
    ]  # fmt: skip
    sold = START + timedelta(hours=3)
    assert found[0] == Sale("1-4", str(ids[3]), str(ids[3]), None, Decimal("21.00"), "EUR", sold, sold)
    # The log tells times in UTC; Discogs tells its own.
    assert {found[0].sold.tzinfo, found[0].moved.tzinfo} == {UTC}
    assert [sale.order for sale in seller.account.orders(START + timedelta(hours=3, minutes=59))] == [
        "1-1",
        "1-2",
        "1-3",
    ]


def test_pages_of_orders_are_read_until_they_are_older(seller: Opened) -> None:
    shop = seller.market.vendor.shop  # type: ignore[attr-defined]
    for _ in range(350):
        shop.sell({"listing_id": shop.add({})["id"]})
        seller.market.vendor.clock.move(1)
    assert len({sale.order for sale in seller.account.orders(START + timedelta(seconds=200))}) == 150
    assert seller.calls() == {f"GET {ORDERS}": 2}
    assert len(list(seller.account.orders(START))) == 350
    assert seller.calls() == {f"GET {ORDERS}": 4}


def test_a_consent_opens_the_account_as_a_token_does(limits: Settings) -> None:
    with discogs() as market:
        credentials = consented(market)
        with opened(limits, market, credentials) as seller:
            seller.account.verify()
            id = put_up(seller)
            seller.account.set_price(known(id), Decimal(30))
            assert seller.account.end(known(id)) == "paused"
        with opened(limits, market, {**credentials, "oauth_token_secret": "guessed"}) as stranger:
            assert market.vendor.violations == {}
            with pytest.raises(Reconnect):
                stranger.account.verify()


@pytest.mark.parametrize("credentials", [{"token": "guessed"}, {"token": "gu\u00e9ssed\n"}, {"oauth_token": "x"}])
def test_credentials_that_open_nothing_are_to_be_replaced(limits: Settings, credentials: dict[str, str]) -> None:
    with discogs() as market, opened(limits, market, credentials) as seller:
        for deed in (
            seller.account.verify,
            lambda: list(seller.account.read([known(1)])),
            lambda: seller.account.set_price(known(1), Decimal(1)),
            lambda: seller.account.end(known(1)),
            lambda: list(seller.account.orders(START)),
        ):
            with pytest.raises(Reconnect):
                deed()
        # It says nothing of whether Discogs works.
        assert seller.breaker() is None


def test_an_order_that_moves_while_they_are_read_takes_none_away(limits: Settings) -> None:
    with discogs() as market:
        shop = market.vendor.shop  # type: ignore[attr-defined]
        for _ in range(150):
            shop.sell({"listing_id": shop.add({})["id"]})

        def check() -> None:
            # One of the second page becomes the first of all before that is asked for.
            if market.vendor.calls[f"GET {ORDERS}"] == 1 and shop.orders[0]["status"] == "New Order":
                market.vendor.clock.move(60)
                shop.settle({"order_id": "1-1", "status": "Shipped"})

        with opened(limits, market, check=check) as seller:
            found = [sale.order for sale in seller.account.orders(START)]
            assert (len(found), len({*found})) == (149, 149)
            # That one moved since they were asked for: it comes the next time.
            assert [sale.order for sale in seller.account.orders(START + timedelta(seconds=60))] == ["1-1"]

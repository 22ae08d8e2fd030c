"""The connector of eBay against the server that is as strict as eBay."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from commands.settings import Settings
from domain.presence.listing import Sale, Seen, Unseen
from tests.accounts import Opened, listing, opened
from tests.marketplaces import START, ebay
from workers.marketplaces.base import Limited, Permanent, Reconnect, Transient

OFFER, BULK = "/sell/inventory/v1/offer", "/sell/inventory/v1/bulk_update_price_quantity"
BROWSE, ORDER = "/buy/browse/v1/item/get_item_by_legacy_id", "/sell/fulfillment/v1/order"
MIGRATE = "/sell/inventory/v1/bulk_migrate_listing"


@pytest.fixture
def seller(limits: Settings) -> Iterator[Opened]:
    with ebay() as market, opened(limits, market) as found:
        yield found
        assert market.vendor.violations == {}


def offer(seller: Opened, **said: Any) -> dict[str, Any]:
    found: dict[str, Any] = seller.market.admin("listings", price="24.99", **said)
    return found


def reference(made: dict[str, Any]) -> dict[str, str]:
    return {"offer_id": made["offerId"], "sku": made["sku"]}


def read(seller: Opened, id: object, **known: Any) -> Seen | Unseen:
    [found] = seller.account.read([listing(id, **known)])
    return found


def test_an_offer_that_is_known_is_one_call(seller: Opened) -> None:
    made = offer(seller)
    asked = listing(made["listingId"], reference=reference(made))
    [found] = seller.account.read([asked])
    assert found == Seen(asked.presence, "active", Decimal("24.99"), "USD", reference(made))
    assert seller.calls() == {f"GET {OFFER}/{made['offerId']}": 1}
    assert seller.slept == []


def test_an_offer_that_is_not_known_is_found_by_a_skus_page_and_its_listing(seller: Opened) -> None:
    others = [offer(seller, sku="LP-7")["listingId"] for _ in range(26)]
    made = offer(seller, sku="LP-7")
    found = read(seller, made["listingId"], skus=("none", "LP-7"))
    assert isinstance(found, Seen)
    assert (found.status, found.reference) == ("active", reference(made))
    # One SKU that nobody sells by, and two pages of the other.
    assert seller.calls() == {f"GET {OFFER}": 3}
    assert made["listingId"] not in others


def test_what_the_inventory_api_does_not_know_is_browsed_and_not_looked_for_again(seller: Opened) -> None:
    old = seller.market.admin("old-listings", price="30.00", sku="LP-9")["listingId"]
    asked = listing(old, skus=("LP-1",))
    [found] = seller.account.read([asked])
    assert found == Seen(asked.presence, "active", Decimal("30.00"), "USD", {"tried": "LP-1"})
    assert seller.calls() == {f"GET {OFFER}": 1, f"GET {BROWSE}": 1}
    assert list(seller.account.read([asked._replace(reference=found.reference)])) == [found]
    assert seller.calls() == {f"GET {BROWSE}": 1}
    # Other SKUs are another chance.
    read(seller, old, skus=("LP-1", "LP-2"), reference=found.reference)
    assert seller.calls() == {f"GET {OFFER}": 2, f"GET {BROWSE}": 1}
    assert seller.standing()["ebay:client-id:browse"].used == 3


def test_offers_are_read_on_when_the_days_browsing_is_spent(seller: Opened) -> None:
    old, made = seller.market.admin("old-listings")["listingId"], offer(seller)
    until = seller.now + timedelta(hours=1)
    seller.budget.block("ebay:client-id:browse", seller.now, until)
    asked = [listing(old), listing(made["listingId"], reference=reference(made))]
    assert [type(found) for found in seller.account.read(asked)] == [Unseen, Seen]
    seller.calls()


def test_browse_converts_prices_and_what_was_listed_counts(seller: Opened) -> None:
    made = seller.market.admin("old-listings", price="30.00", marketplace="EBAY_GB")
    found = read(seller, made["listingId"], currency="USD")
    assert isinstance(found, Seen)
    assert (found.price, found.currency) == (Decimal("30.00"), "GBP")


@pytest.mark.parametrize(
    ("deed", "said", "status"),
    [
        ("ends", {}, "ended"),
        ("ends", {"status": "EBAY_ENDED"}, "ended"),
        ("ends", {"status": "INACTIVE"}, "ended"),
        ("ends", {"status": "NOT_LISTED"}, "draft"),
        ("sales", {}, "sold"),
        ("stock", {"quantity": 0}, "paused"),
        ("holds", {}, "error"),
    ],
)
def test_what_becomes_of_a_listing_is_its_status(seller: Opened, deed: str, said: dict[str, Any], status: str) -> None:
    made = offer(seller)
    seller.market.admin(deed, listing_id=made["listingId"], **said)
    found = read(seller, made["listingId"], reference=reference(made))
    assert isinstance(found, Seen)
    assert found.status == status


def test_one_that_sold_some_and_has_some_left_is_for_sale(seller: Opened) -> None:
    made = offer(seller, quantity=2)
    seller.market.admin("sales", listing_id=made["listingId"])
    found = read(seller, made["listingId"], reference=reference(made))
    assert isinstance(found, Seen)
    assert found.status == "active"


def test_a_listing_that_was_withdrawn_is_over_though_its_offer_is_up_again(seller: Opened) -> None:
    made = offer(seller)
    seller.market.client.post(f"{OFFER}/{made['offerId']}/withdraw")
    for _ in range(2):
        found = read(seller, made["listingId"], reference=reference(made))
        assert isinstance(found, Seen)
        assert (found.status, found.price) == ("ended", None)
        seller.market.client.post(f"{OFFER}/{made['offerId']}/publish")


def test_what_nobody_has_is_removed_and_what_is_no_id_is_not_asked_for(seller: Opened) -> None:
    gone = read(seller, "999", reference={"offer_id": "999", "sku": "x"})
    assert isinstance(gone, Seen)
    assert gone.status == "removed"
    seller.calls()
    assert isinstance(read(seller, "../../order?x="), Unseen)
    assert seller.calls() == {}


def test_a_price_in_a_currency_that_the_marketplace_has_not_is_not_believed(seller: Opened) -> None:
    made = offer(seller)
    seller.market.admin("faults", kind="wrong_currency", path=OFFER)
    found = read(seller, made["listingId"], reference=reference(made))
    assert found[1:] == ("eBay shows a price in JPY where there are none.",)


def test_a_price_is_set_and_nothing_else(seller: Opened) -> None:
    made = offer(seller, quantity=3)
    known = reference(made)
    for _ in range(2):
        assert seller.account.set_price(listing(made["listingId"], reference=known), Decimal("22.5")) == known
    assert seller.calls() == {f"POST {BULK}": 2}
    after = seller.market.client.get(f"{OFFER}/{made['offerId']}").json()
    assert (after["pricingSummary"]["price"]["value"], after["availableQuantity"]) == ("22.50", 3)


def test_an_old_listing_becomes_an_offer_once_it_is_to_be_priced(seller: Opened) -> None:
    old = seller.market.admin("old-listings", price="30.00", sku="LP-9")["listingId"]
    known = seller.account.set_price(listing(old, skus=("LP-9",)), Decimal("28.00"))
    assert known is not None
    assert seller.calls() == {f"GET {OFFER}": 1, f"POST {MIGRATE}": 1, f"POST {BULK}": 1}
    found = read(seller, old, reference=known)
    assert isinstance(found, Seen)
    assert (found.price, known["sku"]) == (Decimal("28.00"), "LP-9")


@pytest.mark.parametrize("price", ["0", "22.505", "NaN", "1e30"])
def test_a_price_that_is_none_is_not_sent(seller: Opened, price: str) -> None:
    made = offer(seller)
    with pytest.raises(Permanent):
        seller.account.set_price(listing(made["listingId"], reference=reference(made)), Decimal(price))
    assert seller.calls() == {}


def test_what_takes_no_price_says_why(seller: Opened) -> None:
    with pytest.raises(Permanent, match=r"wants a fixed price, a SKU and business policies \(25719\)"):
        seller.account.set_price(listing("1"), Decimal("1.00"))
    made = offer(seller)
    seller.market.admin("ends", listing_id=made["listingId"])
    with pytest.raises(Permanent, match=r"\(25759\)"):
        seller.account.set_price(listing(made["listingId"], reference=reference(made)), Decimal("1.00"))
    with pytest.raises(Permanent, match="digits"):
        seller.account.set_price(listing("x"), Decimal("1.00"))


def test_a_reference_that_is_out_of_date_is_looked_up_anew(seller: Opened) -> None:
    made = offer(seller, sku="LP-1")
    stale = listing(made["listingId"], reference={"offer_id": "999", "sku": "LP-1"}, skus=("LP-1",))
    assert seller.account.set_price(stale, Decimal("20.00")) == reference(made)
    [found] = seller.account.read([stale])
    assert isinstance(found, Seen)
    assert (found.price, found.reference) == (Decimal("20.00"), reference(made))


@pytest.mark.parametrize("kind", ["concurrent", "system"])
def test_a_fault_of_ebays_own_is_tried_again(seller: Opened, kind: str) -> None:
    one = offer(seller)
    made = listing(one["listingId"], reference=reference(one))
    seller.market.admin("faults", kind=kind, path=BULK)
    with pytest.raises(Transient):
        seller.account.set_price(made, Decimal("20.00"))
    seller.account.set_price(made, Decimal("20.00"))


def test_what_was_done_and_never_answered_is_done_again_without_harm(seller: Opened) -> None:
    made = offer(seller)
    known = listing(made["listingId"], reference=reference(made))
    seller.market.admin("faults", kind="lost", path=BULK)
    with pytest.raises(Transient):
        seller.account.set_price(known, Decimal("20.00"))
    seller.account.set_price(known, Decimal("20.00"))
    seller.market.admin("faults", kind="lost", path=f"{OFFER}/{made['offerId']}/withdraw")
    with pytest.raises(Transient):
        seller.account.end(known)
    assert seller.account.end(known) == "ended"
    assert seller.account.end(known) == "ended"


def test_a_listing_is_ended_once_and_one_that_sold_stays_sold(seller: Opened) -> None:
    first, second = offer(seller), offer(seller)
    seller.market.admin("sales", listing_id=second["listingId"])
    assert seller.account.end(listing(first["listingId"], reference=reference(first))) == "ended"
    assert seller.account.end(listing(second["listingId"], reference=reference(second))) == "sold"
    withdrawn = [call for call in seller.calls() if call.endswith("withdraw")]
    assert withdrawn == [f"POST {OFFER}/{first['offerId']}/withdraw"]


def test_whoever_is_faster_than_an_end_is_seen(seller: Opened) -> None:
    made = offer(seller)
    known = listing(made["listingId"], reference=reference(made))
    path = f"{OFFER}/{made['offerId']}/withdraw"
    seller.market.admin("faults", kind="faster", path=path)
    assert seller.account.end(known) == "ended"


def test_an_old_listing_is_ended_as_an_offer(seller: Opened) -> None:
    old = seller.market.admin("old-listings", sku="LP-9")["listingId"]
    assert seller.account.end(listing(old)) == "ended"
    assert seller.account.end(listing(old, skus=("LP-9",))) == "ended"
    with pytest.raises(Permanent):
        seller.account.end(listing("x"))
    # What is not there any more needs no end.
    assert seller.account.end(listing("12")) == "ended"


def test_orders_come_line_by_line_and_the_first_to_move_first(seller: Opened) -> None:
    first, second = offer(seller, sku="LP-1", quantity=3), offer(seller, sku="LP-2")
    for made, quantity in ((first, 2), (second, 1)):
        seller.market.admin("clock", seconds=60)
        seller.market.admin("sales", listing_id=made["listingId"], quantity=quantity)
    seller.market.admin("clock", seconds=60)
    seller.market.admin("cancels", order_id="12-00001-89012")
    found = list(seller.account.orders(START))
    assert [(sale.order, sale.is_cancelled) for sale in found] == [
        ("12-00002-89012", False), ("12-00001-89012", True), ("12-00001-89012", True),
    ]  # fmt: skip
    assert found[0] == Sale(
        order="12-00002-89012",
        line="10012345678902",
        listing=second["listingId"],
        sku="LP-2",
        price=Decimal("24.99"),
        currency="USD",
        sold=START + timedelta(seconds=120),
        moved=START + timedelta(seconds=120),
    )
    # Two copies are two lines, each at its own price.
    assert [(sale.line, sale.price) for sale in found[1:]] == [
        ("10012345678901", Decimal("24.99")), ("10012345678901/2", Decimal("24.99")),
    ]  # fmt: skip
    assert list(seller.account.orders(START + timedelta(seconds=150))) == found[1:]
    assert list(seller.account.orders(START + timedelta(seconds=181))) == []


def test_a_payment_that_failed_cancels(seller: Opened) -> None:
    seller.market.admin("sales", listing_id=offer(seller)["listingId"], payment="FAILED")
    seller.market.admin("sales", listing_id=offer(seller)["listingId"], payment="PENDING")
    assert [sale.is_cancelled for sale in seller.account.orders(START)] == [True, False]


def test_all_pages_of_orders_are_read(seller: Opened) -> None:
    for _ in range(450):
        shop = seller.market.vendor.shop  # type: ignore[attr-defined]
        shop.sell({"listing_id": shop.add({})["listingId"]})
    assert len({sale.order for sale in seller.account.orders(START)}) == 450
    assert seller.calls() == {f"GET {ORDER}": 3}


@pytest.mark.parametrize("times", [1, 3])
def test_orders_that_move_while_they_are_read_take_none_away(limits: Settings, times: int) -> None:
    with ebay() as market:
        shop = market.vendor.shop  # type: ignore[attr-defined]
        ids = [shop.sell({"listing_id": shop.add({})["listingId"]})["orderId"] for _ in range(250)]
        moved: dict[int, str] = {}

        def check() -> None:
            # One of the first page becomes the last of all when the second is asked for.
            asked = market.vendor.calls[f"GET {ORDER}"]
            if asked % 2 and len(moved) < times and asked not in moved:
                moved[asked] = ids[len(moved)]
                market.vendor.clock.move(60)
                shop.cancel({"order_id": moved[asked]})

        with opened(limits, market, check=check) as seller:
            if times == 1:
                assert len({sale.order for sale in seller.account.orders(START)}) == 250
            else:
                with pytest.raises(Transient, match="changed while"):
                    list(seller.account.orders(START))
            assert seller.calls()[f"GET {ORDER}"] == (4 if times == 1 else 6)


def test_nobody_asks_for_older_orders_than_there_are(seller: Opened) -> None:
    assert list(seller.account.orders(START - timedelta(days=3000))) == []


def test_a_listing_is_revised_so_often_a_day_and_then_the_next(seller: Opened) -> None:
    made = offer(seller)
    known = listing(made["listingId"], reference=reference(made))
    for number in range(240):
        seller.account.set_price(known, Decimal(number + 1))
    with pytest.raises(Limited) as caught:
        seller.account.set_price(known, Decimal(999))
    # It is ten o'clock.
    assert caught.value.after_seconds == 14 * 3600
    other = offer(seller)
    seller.account.set_price(listing(other["listingId"], reference=reference(other)), Decimal(1))
    seller.market.admin("clock", seconds=14 * 3600)
    seller.account.set_price(known, Decimal(999))
    assert seller.budget.forget(seller.now.date()) == 1


def test_a_token_that_ends_early_is_renewed_once(seller: Opened) -> None:
    made = offer(seller)
    known = {"reference": reference(made)}
    read(seller, made["listingId"], **known)
    seller.market.vendor.tokens.expire(revoke=False)  # type: ignore[attr-defined]
    assert isinstance(read(seller, made["listingId"], **known), Seen)
    assert seller.market.vendor.violations == {"authorization": 1}
    seller.market.vendor.violations.clear()
    seller.market.admin("clock", seconds=7200)
    assert isinstance(read(seller, made["listingId"], **known), Seen)
    seller.market.admin("tokens", revoke=True)
    with pytest.raises(Reconnect, match="connect again"):
        read(seller, made["listingId"], **known)
    seller.market.vendor.violations.clear()


def test_a_consent_for_less_is_to_be_given_anew(limits: Settings) -> None:
    with ebay() as market:
        refresh = market.admin("consents", scopes=["https://api.ebay.com/oauth/api_scope/sell.inventory.readonly"])
        with opened(limits, market, refresh) as seller:
            made = offer(seller)
            assert isinstance(read(seller, made["listingId"], reference=reference(made)), Seen)
            with pytest.raises(Reconnect):
                seller.account.set_price(listing(made["listingId"], reference=reference(made)), Decimal(1))
            with pytest.raises(Reconnect):
                seller.account.verify()


def test_a_days_calls_are_not_asked_for_when_they_are_spent(seller: Opened) -> None:
    made = offer(seller)
    seller.account.verify()
    key = "ebay:client-id:inventory"
    seller.budget.block(key, seller.now, seller.now + timedelta(hours=1))
    with pytest.raises(Limited) as caught:
        read(seller, made["listingId"], reference=reference(made))
    assert caught.value.after_seconds == 3600
    # Orders have a budget of their own.
    assert list(seller.account.orders(START)) == []
    assert {name: standing.used for name, standing in seller.standing().items()} == {
        key: 0, "ebay:client-id:fulfillment": 2,
    }  # fmt: skip


def test_one_bad_listing_does_not_end_the_reading(seller: Opened) -> None:
    made = offer(seller)
    asked = [listing("x"), listing(made["listingId"], reference=reference(made))]
    assert [type(found) for found in seller.account.read(asked)] == [Unseen, Seen]


def test_a_connection_that_is_gone_has_no_credentials(limits: Settings) -> None:
    with ebay() as market, opened(limits, market) as seller:
        account = seller.marketplaces.account(uuid7(), "plat_ebay", seller.credentials)
        with pytest.raises(Reconnect, match="no credentials"):
            account.verify()

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.discogs import Discogs
from tests.marketplaces import Marketplace, discogs

WHOLE = {
    "release_id": 5610049,
    "condition": "Near Mint (NM or M-)",
    "sleeve_condition": "Very Good Plus (VG+)",
    "price": 22.5,
    "status": "For Sale",
    "allow_offers": True,
    "comments": "",
    "external_id": "LP-001",
    "location": "A1",
    "weight": 230,
    "format_quantity": 1,
}
LISTINGS = "/marketplace/listings"


@pytest.fixture
def market() -> Iterator[Marketplace]:
    with discogs() as there:
        yield there


@pytest.fixture
def listing(market: Marketplace) -> str:
    made = market.client.post(LISTINGS, json={**WHOLE, "price": 21.0})
    assert made.status_code == 201
    return f"{LISTINGS}/{made.json()['listing_id']}"


def test_a_listing_shows_the_buyers_currency_as_price_and_what_was_listed_as_original_price(
    market: Marketplace, listing: str
) -> None:
    found = market.client.get(listing).json()
    assert found["price"] == {"value": 25.61, "currency": "USD"}
    original = found["original_price"]
    assert (original["value"], original["curr_abbr"], original["curr_id"]) == (21.0, "EUR", 3)
    assert (found["external_id"], found["location"], found["weight"]) == ("LP-001", "A1", 230)
    in_euros = market.client.get(listing, params={"curr_abbr": "EUR"}).json()
    assert in_euros["price"] == {"value": 21.0, "currency": "EUR"}


def test_an_edit_replaces_the_whole_listing(market: Marketplace, listing: str) -> None:
    mandatory = {name: WHOLE[name] for name in ("release_id", "condition", "price", "status")}
    answer = market.client.post(listing, json=mandatory)
    assert (answer.status_code, answer.content) == (204, b"")
    found = market.client.get(listing).json()
    assert found["original_price"]["value"] == 22.5
    assert (found["allow_offers"], found["comments"], found["external_id"]) == (False, "", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": None},
        {"price": "22.50"},
        {"price": 0},
        {"price": -1},
        {"price": 22.505},
        {"condition": "NM"},
        {"sleeve_condition": "Torn"},
        {"status": "Sold"},
        {"release_id": 1},
    ],
)
def test_an_edit_that_says_something_wrong_changes_nothing_and_is_counted(
    market: Marketplace, listing: str, wrong: dict[str, Any]
) -> None:
    refused = market.client.post(listing, json={**WHOLE, **wrong})
    assert refused.status_code == 422
    assert refused.json().keys() == {"message"}
    assert market.violations == {"body": 1}
    assert market.client.get(listing).json()["original_price"]["value"] == 21.0


@pytest.mark.parametrize("missing", ["release_id", "condition", "price", "status"])
def test_four_fields_are_mandatory(market: Marketplace, listing: str, missing: str) -> None:
    said = {name: value for name, value in WHOLE.items() if name != missing}
    refused = market.client.post(listing, json=said)
    assert (refused.status_code, missing in refused.json()["message"]) == (422, True)


@pytest.mark.parametrize("status", ["Sold", "Suspended", "Violation"])
def test_only_what_is_for_sale_a_draft_or_expired_can_be_edited(market: Marketplace, listing: str, status: str) -> None:
    id = listing.rpartition("/")[2]
    market.admin("statuses", listing_id=id, status="Expired")
    assert market.client.post(listing, json=WHOLE).status_code == 204
    market.admin("statuses", listing_id=id, status=status)
    assert market.client.post(listing, json=WHOLE).status_code == 403


def test_the_seller_sets_a_price_on_the_site(market: Marketplace, listing: str) -> None:
    about = {"listing_id": listing.rpartition("/")[2]}
    market.admin("prices", **about, price="30.00")
    assert market.client.get(listing).json()["original_price"]["value"] == 30.0
    for wrong in ("-1", "x", "0.00"):
        refused = market.client.post("/_sandbox/prices", json={**about, "price": wrong})
        assert refused.status_code == 400


def test_a_deleted_listing_is_gone_for_good(market: Marketplace, listing: str) -> None:
    assert market.client.delete(listing).status_code == 204
    gone = market.client.get(listing)
    assert (gone.status_code, gone.json()) == (404, {"message": "The request resource was not found."})
    assert market.client.delete(listing).status_code == 404


@pytest.mark.parametrize("agent", ["", "python-httpx/0.28", "curl/8.0"])
def test_whoever_does_not_say_who_asks_gets_no_answer_at_all(market: Marketplace, listing: str, agent: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        market.client.get(listing, headers={"User-Agent": agent})
    assert market.violations == {"user_agent": 1}


@pytest.mark.parametrize("authorization", ["Discogs token=wrong", "Bearer discogs-token", "Discogs key=a, secret=b"])
def test_a_wrong_key_is_told_how_to_authenticate(market: Marketplace, listing: str, authorization: str) -> None:
    refused = market.client.get(listing, headers={"Authorization": authorization})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "OAuth")
    assert refused.json() == {"message": "You must authenticate to access this resource."}


def test_an_applications_key_reads_and_does_not_act(market: Marketplace, listing: str) -> None:
    key = {"Authorization": "Discogs key=consumer-key, secret=consumer-secret"}
    assert "external_id" not in market.client.get(listing, headers=key).json()
    assert market.client.delete(listing, headers=key).status_code == 401


def test_sixty_requests_go_in_any_sixty_seconds_and_the_headers_count_them(market: Marketplace) -> None:
    found = [market.client.get("/oauth/identity") for _ in range(60)]
    assert {response.status_code for response in found} == {200}
    assert [response.headers["x-discogs-ratelimit-remaining"] for response in (found[0], found[-1])] == ["59", "0"]
    assert (found[-1].headers["x-discogs-ratelimit"], found[-1].headers["x-discogs-ratelimit-used"]) == ("60", "60")
    over = market.client.get("/oauth/identity")
    assert (over.status_code, over.json()) == (429, {"message": "You are making requests too quickly."})
    assert market.violations == {"rate_limit": 1}
    market.admin("clock", seconds=59.9)
    assert market.client.get("/oauth/identity").status_code == 429
    market.admin("clock", seconds=0.1)
    assert market.client.get("/oauth/identity").status_code == 200


def test_without_a_key_it_is_twenty_five(market: Marketplace, listing: str) -> None:
    del market.client.headers["Authorization"]
    statuses = [market.client.get(listing).status_code for _ in range(25)]
    # The request that made the listing came from the same address.
    assert statuses == [200] * 24 + [429]


def test_the_sellers_inventory_has_pages_and_the_sellers_currency(market: Marketplace) -> None:
    for number in range(5):
        market.admin("listings", price=f"{number + 1}.00", status="Draft" if number == 0 else "For Sale")
    first = market.client.get("/users/seller/inventory", params={"per_page": 2}).json()
    assert first["pagination"] | {"urls": 0} == {"page": 1, "pages": 3, "items": 5, "per_page": 2, "urls": 0}
    assert first["pagination"]["urls"].keys() == {"next", "last"}
    assert first["listings"][0]["price"] == {"value": 1.0, "currency": "EUR"}
    for_sale = market.client.get("/users/seller/inventory", params={"status": "For Sale", "per_page": 100}).json()
    assert for_sale["pagination"]["items"] == 4
    del market.client.headers["Authorization"]
    assert market.client.get("/users/seller/inventory").json()["pagination"]["items"] == 4
    assert market.client.get("/users/seller/inventory", params={"page": 9}).status_code == 404


def test_a_sale_is_an_order_of_the_listing_which_is_sold(market: Marketplace, listing: str) -> None:
    id = int(listing.rpartition("/")[2])
    sold = market.admin("sales", listing_id=id)
    assert market.client.get(listing).json()["status"] == "Sold"
    found = market.client.get("/marketplace/orders", params={"sort": "last_activity", "sort_order": "desc"}).json()
    [order] = found["orders"]
    assert (order["id"], order["items"][0]["id"], order["items"][0]["price"]) == (
        sold["id"], id, {"value": 21.0, "currency": "EUR"},
    )  # fmt: skip
    assert isinstance(order["id"], str)
    assert market.client.post("/_sandbox/sales", json={"listing_id": id}).status_code == 400


def test_orders_are_asked_for_by_date_and_status_and_the_last_to_move_comes_first(market: Marketplace) -> None:
    ids = [market.admin("listings")["id"] for _ in range(3)]
    for id in ids:
        market.admin("sales", listing_id=id)
        market.admin("clock", seconds=3600)
    market.admin("settle", order_id="1-1", status="Payment Received")
    newest = market.client.get("/marketplace/orders", params={"sort": "last_activity", "sort_order": "desc"}).json()
    assert [order["id"] for order in newest["orders"]] == ["1-1", "1-3", "1-2"]
    after = {"created_after": "2026-01-02T10:30:00Z", "status": "New Order"}
    assert market.client.get("/marketplace/orders", params=after).json()["pagination"]["items"] == 2
    assert market.client.get("/marketplace/orders", params={"status": "Lost"}).status_code == 422


def test_what_was_done_and_never_answered_was_done(market: Marketplace, listing: str) -> None:
    market.admin("faults", kind="lost", method="POST", path=listing)
    with pytest.raises(httpx.RemoteProtocolError):
        market.client.post(listing, json=WHOLE)
    assert market.client.get(listing).json()["original_price"]["value"] == 22.5


def test_a_wrong_currency_can_be_shown(market: Marketplace, listing: str) -> None:
    market.admin("faults", kind="wrong_currency")
    assert market.client.get(listing).json()["original_price"]["curr_abbr"] == "GBP"
    assert market.client.get(listing).json()["original_price"]["curr_abbr"] == "EUR"


def test_yen_have_no_places() -> None:
    with discogs(currency="JPY") as market:
        assert market.client.post(LISTINGS, json={**WHOLE, "price": 2500}).status_code == 201
        assert market.client.post(LISTINGS, json={**WHOLE, "price": 2500.5}).status_code == 422


def test_another_sellers_listing_shows_less_and_is_not_edited(market: Marketplace, listing: str) -> None:
    assert isinstance(market.vendor, Discogs)
    market.vendor.shop.others.add(int(listing.rpartition("/")[2]))
    found = market.client.get(listing).json()
    assert (found["seller"]["username"], "external_id" in found) == ("another", False)
    assert market.client.post(listing, json=WHOLE).status_code == 403
    assert market.client.get("/users/seller/inventory").json()["pagination"]["items"] == 0


def test_a_buyer_can_be_faster_than_an_edit(market: Marketplace, listing: str) -> None:
    market.admin("faults", kind="sold", method="POST")
    assert market.client.post(listing, json=WHOLE).status_code == 403
    assert market.client.get(listing).json()["status"] == "Sold"

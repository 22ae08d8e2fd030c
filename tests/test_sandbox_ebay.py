from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.ebay_tokens import SCOPE
from tests.marketplaces import Marketplace, ebay

OFFERS, BULK = "/sell/inventory/v1/offer", "/sell/inventory/v1/bulk_update_price_quantity"
ORDERS, TOKEN = "/sell/fulfillment/v1/order", "/identity/v1/oauth2/token"
APPLICATION = ("client-id", "client-secret")


@pytest.fixture
def market() -> Iterator[Marketplace]:
    with ebay() as there:
        yield there


@pytest.fixture
def offer(market: Marketplace) -> dict[str, Any]:
    found: dict[str, Any] = market.admin("listings", price="24.99", sku="LP-001")
    return found


def price_update(*offers: str, value: Any = "22.50", currency: str = "USD", **more: Any) -> dict[str, Any]:
    said = [{"offerId": id, "price": {"value": value, "currency": currency}, **more} for id in offers]
    return {"requests": [{"offers": said}]}


def price_of(market: Marketplace, offer: dict[str, Any]) -> str:
    found = market.client.get(f"{OFFERS}/{offer['offerId']}").json()
    value: str = found["pricingSummary"]["price"]["value"]
    return value


def error_of(response: httpx.Response) -> int:
    [error] = response.json()["errors"]
    assert error.keys() >= {"errorId", "domain", "category", "message"}
    id: int = error["errorId"]
    return id


def test_a_published_offer_has_its_listing(market: Marketplace, offer: dict[str, Any]) -> None:
    found = market.client.get(f"{OFFERS}/{offer['offerId']}").json()
    assert found == {
        "offerId": offer["offerId"],
        "sku": "LP-001",
        "marketplaceId": "EBAY_US",
        "format": "FIXED_PRICE",
        "availableQuantity": 1,
        "pricingSummary": {"price": {"value": "24.99", "currency": "USD"}},
        "status": "PUBLISHED",
        "listing": {
            "listingId": offer["listingId"],
            "listingStatus": "ACTIVE",
            "soldQuantity": 0,
            "listingOnHold": False,
        },
    }
    missing = market.client.get(f"{OFFERS}/999")
    assert (missing.status_code, error_of(missing)) == (404, 25713)


def test_offers_are_listed_by_sku_alone(market: Marketplace, offer: dict[str, Any]) -> None:
    assert market.client.get(OFFERS).status_code == 400
    found = market.client.get(OFFERS, params={"sku": "LP-001", "limit": 10, "offset": 0}).json()
    assert (found["total"], found["offers"][0]["offerId"]) == (1, offer["offerId"])
    # It is a page's number: the second page of ten has nothing.
    assert market.client.get(OFFERS, params={"sku": "LP-001", "limit": 10, "offset": 1}).json()["offers"] == []


def test_a_price_is_updated_in_bulk_and_leaves_the_quantity(market: Marketplace, offer: dict[str, Any]) -> None:
    done = market.client.post(BULK, json=price_update(offer["offerId"]))
    assert done.status_code == 200
    assert done.json() == {
        "responses": [{"statusCode": 200, "offerId": offer["offerId"], "sku": "LP-001", "errors": [], "warnings": []}]
    }
    assert price_of(market, offer) == "22.50"


def test_an_update_of_which_a_part_fails_is_a_207_and_each_element_says_its_own(
    market: Marketplace, offer: dict[str, Any]
) -> None:
    done = market.client.post(BULK, json=price_update(offer["offerId"], "999"))
    assert done.status_code == 207
    assert [response["statusCode"] for response in done.json()["responses"]] == [200, 404]
    assert price_of(market, offer) == "22.50"


@pytest.mark.parametrize(
    ("price", "currency"), [("0", "USD"), ("-1", "USD"), ("22.505", "USD"), (22.5, "USD"), ("22.50", "EUR")]
)
def test_a_price_that_is_none_is_refused_in_its_element(
    market: Marketplace, offer: dict[str, Any], price: Any, currency: str
) -> None:
    done = market.client.post(BULK, json=price_update(offer["offerId"], value=price, currency=currency))
    [response] = done.json()["responses"]
    assert (done.status_code, response["statusCode"], response["errors"][0]["errorId"]) == (207, 400, 25003)
    assert market.violations == {"price": 1}


def test_a_call_is_for_one_sku_and_for_each_offer_once(market: Marketplace, offer: dict[str, Any]) -> None:
    other = market.admin("listings", sku="LP-002")
    for ids in ([offer["offerId"], other["offerId"]], [offer["offerId"]] * 2, []):
        assert market.client.post(BULK, json=price_update(*ids)).status_code == 400
    many = [market.admin("listings", sku="LP-003")["offerId"] for _ in range(26)]
    assert market.client.post(BULK, json=price_update(*many)).status_code == 400
    assert market.client.post(BULK, json=price_update(*many[:25])).status_code == 200
    assert market.violations == {"body": 4}


def test_a_listing_has_250_revisions_a_day(market: Marketplace, offer: dict[str, Any]) -> None:
    for number in range(250):
        update = price_update(offer["offerId"], value=f"{number + 1}.00")
        assert market.client.post(BULK, json=update).status_code == 200
    assert market.client.post(BULK, json=price_update(offer["offerId"], value="999.00")).status_code == 207
    assert price_of(market, offer) == "250.00"
    assert market.violations == {"revisions": 1}
    # Of the calendar's day: at 10:00 fourteen hours of it are left.
    market.admin("clock", seconds=14 * 3600)
    market.client.headers["Authorization"] = f"Bearer {user_token(market)}"
    assert market.client.post(BULK, json=price_update(offer["offerId"], value="999.00")).status_code == 200


def user_token(market: Marketplace, **consent: Any) -> str:
    refresh = market.admin("consents", **consent)["refresh_token"]
    answer = mint(market, grant_type="refresh_token", refresh_token=refresh)
    token: str = answer.json()["access_token"]
    return token


def mint(market: Marketplace, **form: str) -> httpx.Response:
    return market.client.post(TOKEN, data=form, auth=APPLICATION)


def test_a_put_replaces_the_offer_and_wants_a_content_language(market: Marketplace, offer: dict[str, Any]) -> None:
    path = f"{OFFERS}/{offer['offerId']}"
    whole = market.client.get(path).json() | {"pricingSummary": {"price": {"value": "19.00", "currency": "USD"}}}
    assert market.client.put(path, json=whole).status_code == 400
    assert market.violations == {"content_language": 1}
    language = {"Content-Language": "en-US"}
    assert market.client.put(path, json={"sku": "LP-001"}, headers=language).status_code == 400
    del whole["availableQuantity"]
    assert market.client.put(path, json=whole, headers=language).status_code == 204
    assert price_of(market, offer) == "19.00"
    assert market.client.get(path).json()["availableQuantity"] == 0


def test_a_withdrawn_offer_has_no_listing_takes_no_price_and_comes_back_as_a_new_one(
    market: Marketplace, offer: dict[str, Any]
) -> None:
    path = f"{OFFERS}/{offer['offerId']}"
    assert market.client.post(f"{path}/withdraw").json() == {"listingId": offer["listingId"]}
    found = market.client.get(path).json()
    assert (found["status"], "listing" in found) == ("UNPUBLISHED", False)
    refused = market.client.post(BULK, json=price_update(offer["offerId"])).json()["responses"][0]
    assert (refused["statusCode"], refused["errors"][0]["errorId"]) == (400, 25759)
    assert market.client.post(f"{path}/publish").json()["listingId"] != offer["listingId"]


def test_what_is_sold_out_is_out_of_stock_and_an_order(market: Marketplace, offer: dict[str, Any]) -> None:
    market.admin("sales", listing_id=offer["listingId"])
    found = market.client.get(f"{OFFERS}/{offer['offerId']}").json()
    assert (found["availableQuantity"], found["listing"]["listingStatus"], found["listing"]["soldQuantity"]) == (
        0, "OUT_OF_STOCK", 1,
    )  # fmt: skip
    since: dict[str, Any] = {"filter": "lastmodifieddate:[2026-01-01T00:00:00.000Z..]", "limit": 50, "offset": 0}
    orders = market.client.get(ORDERS, params=since).json()
    assert (orders["total"], orders["limit"], orders["offset"]) == (1, 50, 0)
    line = orders["orders"][0]["lineItems"][0]
    assert (line["legacyItemId"], line["sku"], line["lineItemCost"]) == (
        offer["listingId"], "LP-001", {"value": "24.99", "currency": "USD"},
    )  # fmt: skip
    assert market.client.post("/_sandbox/sales", json={"listing_id": offer["listingId"]}).status_code == 400


def test_orders_are_counted_from_an_offset_and_asked_for_by_a_range(market: Marketplace) -> None:
    for _ in range(3):
        market.admin("sales", listing_id=market.admin("listings")["listingId"])
        market.admin("clock", seconds=60)
    page = market.client.get(ORDERS, params={"limit": 2, "offset": 1}).json()
    assert ([order["orderId"][3:8] for order in page["orders"]], page["total"]) == (["00002", "00003"], 3)
    late = {"filter": "lastmodifieddate:[2026-01-02T10:01:30.000Z..2026-01-02T12:00:00.000Z]"}
    assert market.client.get(ORDERS, params=late).json()["total"] == 1
    for wrong in ({"limit": 201}, {"filter": "lastmodifieddate:yesterday"}, {"limit": "many"}):
        assert market.client.get(ORDERS, params=wrong).status_code == 400
    too_old = {"filter": "creationdate:[2023-12-31T00:00:00.000Z..]"}
    assert market.client.get(ORDERS, params=too_old).status_code == 400


def test_anybodys_listing_is_found_by_its_old_id_with_an_applications_token(
    market: Marketplace, offer: dict[str, Any]
) -> None:
    answer = mint(market, grant_type="client_credentials", scope=SCOPE).json()
    assert (answer["token_type"], answer["expires_in"], "refresh_token" in answer) == (
        "Application Access Token", 7200, False,
    )  # fmt: skip
    application = {"Authorization": f"Bearer {answer['access_token']}", "X-EBAY-C-MARKETPLACE-ID": "EBAY_US"}
    path = "/buy/browse/v1/item/get_item_by_legacy_id"
    found = market.client.get(path, params={"legacy_item_id": offer["listingId"]}, headers=application).json()
    assert (found["itemId"], found["price"]) == (f"v1|{offer['listingId']}|0", {"value": "24.99", "currency": "USD"})
    assert found["estimatedAvailabilities"][0]["estimatedAvailableQuantity"] == 1
    market.admin("prices", listing_id=offer["listingId"], price="30.00")
    repriced = market.client.get(path, params={"legacy_item_id": offer["listingId"]}, headers=application).json()
    assert repriced["price"] == {"value": "30.00", "currency": "USD"}
    missing = market.client.get(path, params={"legacy_item_id": "1"}, headers=application)
    assert (missing.status_code, error_of(missing)) == (400, 11003)
    market.admin("ends", listing_id=offer["listingId"])
    ended = market.client.get(path, params={"legacy_item_id": offer["listingId"]}, headers=application)
    assert error_of(ended) == 11004
    # It opens no seller's business.
    refused = market.client.get(f"{OFFERS}/{offer['offerId']}", headers=application)
    assert (refused.status_code, error_of(refused)) == (403, 1100)


def test_an_old_listing_is_migrated_once(market: Marketplace) -> None:
    old = market.admin("old-listings", price="30.00", sku="LP-009")["listingId"]
    body = {"requests": [{"listingId": old}, {"listingId": "1"}]}
    done = market.client.post("/sell/inventory/v1/bulk_migrate_listing", json=body)
    assert done.status_code == 207
    first, second = done.json()["responses"]
    assert (first["statusCode"], first["inventoryItems"][0]["sku"], second["statusCode"]) == (200, "LP-009", 400)
    assert market.client.get(f"{OFFERS}/{first['inventoryItems'][0]['offerId']}").json()["listing"]["listingId"] == old
    assert market.client.post("/sell/inventory/v1/bulk_migrate_listing", json={"requests": [{}] * 6}).status_code == 400


def test_consent_gives_a_code_and_a_code_gives_tokens_once(market: Marketplace) -> None:
    query = {
        "client_id": "client-id",
        "redirect_uri": "Deadwax-RuName",
        "response_type": "code",
        "scope": f"{SCOPE}/sell.inventory {SCOPE}/sell.fulfillment",
        "state": "state-1",
    }
    consent = market.client.get("/oauth2/authorize", params=query)
    back = {name: values[0] for name, values in parse_qs(urlsplit(consent.headers["location"]).query).items()}
    assert (consent.status_code, back["state"]) == (302, "state-1")
    form = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": "Deadwax-RuName"}
    answer = mint(market, **form).json()
    assert (answer["expires_in"], answer["refresh_token_expires_in"]) == (7200, 47_304_000)
    assert answer["token_type"] == "User Access Token"
    again = mint(market, **form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    refreshed = mint(market, grant_type="refresh_token", refresh_token=answer["refresh_token"]).json()
    assert "refresh_token" not in refreshed
    opened = {"Authorization": f"Bearer {refreshed['access_token']}"}
    assert market.client.get(ORDERS, headers=opened).status_code == 200
    address = market.client.get("/oauth2/authorize", params={**query, "redirect_uri": "https://shop.example/"})
    assert (address.status_code, market.violations["consent"]) == (400, 1)


def test_a_token_ends_after_two_hours_and_all_of_them_with_the_consent(market: Marketplace) -> None:
    market.admin("clock", seconds=7200)
    late = market.client.get(ORDERS)
    assert (late.status_code, error_of(late)) == (401, 1001)
    refresh = market.admin("consents")["refresh_token"]
    market.admin("tokens", revoke=True)
    refused = mint(market, grant_type="refresh_token", refresh_token=refresh)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_a_wrong_secret_or_a_wider_scope_is_refused(market: Marketplace) -> None:
    wrong = market.client.post(TOKEN, data={"grant_type": "refresh_token"}, auth=("client-id", "guessed"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    refresh = market.admin("consents", scopes=[f"{SCOPE}/sell.inventory.readonly"])["refresh_token"]
    wider = mint(market, grant_type="refresh_token", refresh_token=refresh, scope=f"{SCOPE}/sell.inventory")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")


def test_whoever_may_only_read_changes_nothing(market: Marketplace, offer: dict[str, Any]) -> None:
    token = user_token(market, scopes=[f"{SCOPE}/sell.inventory.readonly"])
    market.client.headers["Authorization"] = f"Bearer {token}"
    assert price_of(market, offer) == "24.99"
    assert market.client.post(BULK, json=price_update(offer["offerId"])).status_code == 403


def test_a_days_calls_are_counted_and_told(market: Marketplace, offer: dict[str, Any]) -> None:
    market.admin("limits", inventory=2)
    path = f"{OFFERS}/{offer['offerId']}"
    assert [market.client.get(path).status_code for _ in range(3)] == [200, 200, 429]
    assert market.violations == {"rate_limit": 1}
    limits = market.client.get("/developer/analytics/v1_beta/rate_limit/").json()["rateLimits"]
    [inventory] = [one["resources"][0]["rates"][0] for one in limits if one["apiName"] == "inventory"]
    assert (inventory["limit"], inventory["remaining"], inventory["reset"]) == (2, 0, "2026-01-03T00:00:00.000Z")


def test_what_was_done_and_never_answered_was_done(market: Marketplace, offer: dict[str, Any]) -> None:
    market.admin("faults", kind="lost", path=BULK)
    with pytest.raises(httpx.RemoteProtocolError):
        market.client.post(BULK, json=price_update(offer["offerId"]))
    assert price_of(market, offer) == "22.50"


def test_two_at_once_can_be_in_each_others_way(market: Marketplace, offer: dict[str, Any]) -> None:
    market.admin("faults", kind="concurrent", path=BULK)
    refused = market.client.post(BULK, json=price_update(offer["offerId"]))
    assert (refused.status_code, error_of(refused)) == (500, 25025)
    assert price_of(market, offer) == "24.99"


def test_a_wrong_currency_can_be_shown(market: Marketplace, offer: dict[str, Any]) -> None:
    market.admin("faults", kind="wrong_currency")
    found = market.client.get(f"{OFFERS}/{offer['offerId']}").json()
    assert found["pricingSummary"]["price"]["currency"] == "JPY"


def test_browsing_takes_an_applications_token_and_converts(market: Marketplace) -> None:
    old = market.admin("old-listings", price="30.00", marketplace="EBAY_GB")["listingId"]
    path, query = "/buy/browse/v1/item/get_item_by_legacy_id", {"legacy_item_id": old}
    assert market.client.get(path, params=query).status_code == 403
    token = mint(market, grant_type="client_credentials", scope=SCOPE).json()["access_token"]
    market.client.headers["Authorization"] = f"Bearer {token}"
    there = market.client.get(path, params=query, headers={"X-EBAY-C-MARKETPLACE-ID": "EBAY_GB"}).json()
    assert there["price"] == {"value": "30.00", "currency": "GBP"}
    assert market.client.get(path, params=query).json()["price"] == {
        "value": "45.00", "currency": "USD", "convertedFromValue": "30.00", "convertedFromCurrency": "GBP",
    }  # fmt: skip


def test_a_hold_a_stock_and_a_cancellation_show(market: Marketplace, offer: dict[str, Any]) -> None:
    path = f"{OFFERS}/{offer['offerId']}"
    market.admin("stock", listing_id=offer["listingId"], quantity=3)
    market.admin("holds", listing_id=offer["listingId"])
    found = market.client.get(path).json()
    assert (found["availableQuantity"], found["listing"]["listingOnHold"]) == (3, True)
    order = market.admin("sales", listing_id=offer["listingId"], quantity=2)
    assert (order["lineItems"][0]["quantity"], order["lineItems"][0]["lineItemCost"]["value"]) == (2, "49.98")
    market.admin("clock", seconds=60)
    cancelled = market.admin("cancels", order_id=order["orderId"])
    assert cancelled["cancelStatus"] == {"cancelState": "CANCELED"}
    assert cancelled["lastModifiedDate"] > order["lastModifiedDate"]


def test_a_fault_of_the_system_is_in_its_element_and_whoever_is_faster_withdraws(
    market: Marketplace, offer: dict[str, Any]
) -> None:
    market.admin("faults", kind="system")
    [failed] = market.client.post(BULK, json=price_update(offer["offerId"])).json()["responses"]
    assert (failed["statusCode"], failed["errors"][0]["errorId"]) == (500, 25001)
    market.admin("faults", kind="faster")
    withdrawn = market.client.post(f"{OFFERS}/{offer['offerId']}/withdraw")
    assert (withdrawn.status_code, error_of(withdrawn), market.violations) == (400, 25713, {})

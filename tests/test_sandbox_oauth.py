"""The double of Discogs' OAuth refuses what Discogs refuses."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.discogs_consent import begin, consent, end, signed
from tests.marketplaces import Marketplace, discogs


@pytest.fixture
def market() -> Iterator[Marketplace]:
    with discogs() as there:
        yield there


def test_oauth_goes_in_three_steps_and_its_tokens_act_for_the_seller(market: Marketplace) -> None:
    request = begin(market)
    assert request["oauth_callback_confirmed"] == "true"
    page = market.client.get("/oauth/authorize", params={"oauth_token": request["oauth_token"]})
    assert (page.status_code, "Authorize" in page.text) == (200, True)
    back = consent(market, request)
    assert (back["state"], back["oauth_token"]) == ("1", request["oauth_token"])
    answer = end(market, request, oauth_verifier=back["oauth_verifier"])
    access = {name: values[0] for name, values in parse_qs(answer.text).items()}
    right = signed(access["oauth_token_secret"], oauth_token=access["oauth_token"])
    assert market.client.get("/oauth/identity", headers=right).json()["username"] == "seller"
    assert market.violations == {}
    # Nothing that was signed is taken twice, and a verifier neither.
    assert market.client.get("/oauth/identity", headers=right).status_code == 401
    assert end(market, request, oauth_verifier=back["oauth_verifier"]).status_code == 401
    wrong = signed("guessed", oauth_token=access["oauth_token"])
    assert market.client.get("/oauth/identity", headers=wrong).status_code == 401
    market.admin("revoke")
    fresh = signed(access["oauth_token_secret"], oauth_token=access["oauth_token"])
    assert market.client.get("/oauth/identity", headers=fresh).status_code == 401


@pytest.mark.parametrize(
    ("fields", "violation"),
    [
        ({"oauth_consumer_key": "other"}, "consumer"),
        ({"oauth_signature": "other&"}, "signature"),
        ({"oauth_signature_method": "HMAC-SHA1"}, "signature_method"),
        ({"oauth_version": "2.0"}, "signature_method"),
        ({"oauth_timestamp": ""}, "timestamp"),
        ({"oauth_timestamp": "yesterday"}, "timestamp"),
        ({"oauth_timestamp": "1000000000"}, "timestamp"),
        ({"oauth_nonce": ""}, "nonce"),
        ({"oauth_callback": ""}, "callback"),
        ({"oauth_callback": "javascript:alert(1)"}, "callback"),
    ],
)
def test_a_request_that_is_not_signed_right_is_refused(
    market: Marketplace, fields: dict[str, Any], violation: str
) -> None:
    headers = signed(**{"oauth_callback": "oob", **fields})
    assert market.client.get("/oauth/request_token", headers=headers).status_code in {400, 401}
    assert market.violations == {violation: 1}


@pytest.mark.parametrize(
    "header",
    ["", "Bearer x", "OAuth oauth_consumer_key=consumer-key", 'OAuth oauth_nonce="1", oauth_nonce="2"', 'OAuth a="b"'],
)
def test_a_header_of_another_form_is_none(market: Marketplace, header: str) -> None:
    assert market.client.get("/oauth/request_token", headers={"Authorization": header}).status_code == 401


def test_a_nonce_is_taken_once(market: Marketplace) -> None:
    headers = signed(oauth_callback="oob")
    assert market.client.get("/oauth/request_token", headers=headers).status_code == 200
    assert market.client.get("/oauth/request_token", headers=headers).status_code == 401


def test_a_verifier_is_good_for_a_quarter_of_an_hour_and_one_token(market: Marketplace) -> None:
    first, second = begin(market), begin(market)
    verifier, _ = consent(market, first)["oauth_verifier"], consent(market, second)
    assert end(market, second, oauth_verifier=verifier).status_code == 401
    market.admin("clock", seconds=15 * 60 + 1)
    assert end(market, first, oauth_verifier=verifier).status_code == 401


def test_who_denies_comes_back_without_a_verifier(market: Marketplace) -> None:
    request = begin(market)
    page = {"oauth_token": request["oauth_token"], "deny": "1"}
    location = market.client.get("/oauth/authorize", params=page).headers["location"]
    assert parse_qs(urlsplit(location).query) == {"state": ["1"], "denied": [request["oauth_token"]]}
    assert market.client.get("/oauth/authorize", params=page).status_code == 404

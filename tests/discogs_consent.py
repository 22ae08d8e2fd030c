"""The three steps of Discogs' OAuth 1.0a, as an application goes them."""

import time
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import httpx

from tests.marketplaces import Marketplace


def signed(secret: str = "", **fields: str) -> dict[str, str]:
    said = {
        "oauth_consumer_key": "consumer-key",
        "oauth_nonce": str(uuid4()),
        "oauth_signature": f"consumer-secret&{secret}",
        "oauth_signature_method": "PLAINTEXT",
        "oauth_timestamp": str(int(time.time())),
        **fields,
    }
    return {"Authorization": "OAuth " + ", ".join(f'{n}="{quote(v, safe="")}"' for n, v in said.items() if v)}


def begin(market: Marketplace, callback: str = "https://shop.example/callback?state=1") -> dict[str, str]:
    answer = market.client.get("/oauth/request_token", headers=signed(oauth_callback=callback))
    assert answer.status_code == 200, answer.text
    return {name: values[0] for name, values in parse_qs(answer.text).items()}


def consent(market: Marketplace, request: dict[str, str]) -> dict[str, str]:
    answer = market.client.get("/oauth/authorize", params={"oauth_token": request["oauth_token"], "allow": "1"})
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def end(market: Marketplace, request: dict[str, str], **fields: str) -> httpx.Response:
    said = signed(request["oauth_token_secret"], oauth_token=request["oauth_token"], **fields)
    return market.client.post("/oauth/access_token", headers=said)


def consented(market: Marketplace) -> dict[str, str]:
    """Go all three; return what opens the account then."""
    request = begin(market)
    answer = end(market, request, oauth_verifier=consent(market, request)["oauth_verifier"])
    return {name: values[0] for name, values in parse_qs(answer.text).items()}

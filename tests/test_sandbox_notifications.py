"""The double of eBay's Notification API refuses what eBay refuses, and proves whom it sends to."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from commands.ebay_signature import PublicKey, parsed
from sandbox.ebay import Ebay
from sandbox.ebay_tokens import SCOPE
from tests.marketplaces import Marketplace, ebay
from tests.test_notifications import until

BASE = "/commerce/notification/v1"
TOKEN = "a-token_of-32-characters-or-more_"
SUBSCRIBE = {
    "topicId": "ORDER_CONFIRMATION",
    "status": "ENABLED",
    "payload": {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"},
}


class Listener(ThreadingHTTPServer):
    """An endpoint; `status` is what it acknowledges with."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/here/"
        self.token, self.status = TOKEN, 204
        self.received: list[tuple[bytes, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        [code] = parse_qs(urlsplit(self.path).query)["challenge_code"]
        said = hashlib.sha256(f"{code}{self.server.token}{self.server.url}".encode()).hexdigest()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(f'{{"challengeResponse": "{said}"}}'.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((body, self.headers["X-EBAY-SIGNATURE"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def listening() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def market() -> Iterator[Marketplace]:
    with ebay() as there:
        there.admin("notification-settings", allow_http=True, retry_seconds=0.02)
        yield there


def bearer(market: Marketplace, form: dict[str, str]) -> dict[str, str]:
    auth = ("client-id", "client-secret")
    answer = market.client.post("/identity/v1/oauth2/token", data=form, auth=auth).json()
    return {"Authorization": f"Bearer {answer['access_token']}"}


def application(market: Marketplace) -> dict[str, str]:
    return bearer(market, {"grant_type": "client_credentials", "scope": SCOPE})


def seller(market: Marketplace, *scopes: str) -> dict[str, str]:
    refresh = market.admin("consents", scopes=[f"{SCOPE}/{scope}" for scope in scopes])["refresh_token"]
    return bearer(market, {"grant_type": "refresh_token", "refresh_token": refresh})


def error_of(answer: httpx.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["errors"][0]["errorId"]


def destination(url: str, token: str = TOKEN, status: str = "ENABLED") -> dict[str, Any]:
    return {"name": "one", "status": status, "deliveryConfig": {"endpoint": url, "verificationToken": token}}


def test_a_destination_wants_a_config_an_https_address_a_token_and_a_proof(market: Marketplace) -> None:
    app = application(market)
    with listening() as listener:

        def add(body: dict[str, Any]) -> httpx.Response:
            return market.client.post(f"{BASE}/destination", json=body, headers=app)

        assert error_of(market.client.get(f"{BASE}/config", headers=app)) == (404, 195003)
        assert error_of(add(destination(listener.url))) == (409, 195003)
        assert error_of(market.client.put(f"{BASE}/config", json={"alertEmail": "x"}, headers=app)) == (400, 195004)
        right = {"alertEmail": "shop@example.com"}
        assert market.client.put(f"{BASE}/config", json=right, headers=app).status_code == 204
        assert error_of(add(destination(listener.url, "too short"))) == (400, 195018)
        assert error_of(add(destination(listener.url, f"{TOKEN}x"))) == (409, 195020)
        market.admin("notification-settings", allow_http=False)
        assert error_of(add(destination(listener.url))) == (400, 195014)
        market.admin("notification-settings", allow_http=True)
        made = add(destination(listener.url))
        assert (made.status_code, made.content, BASE in made.headers["location"]) == (201, b"", True)
        assert error_of(add(destination(listener.url))) == (409, 195021)
        [shown] = market.client.get(f"{BASE}/destination?limit=10", headers=app).json()["destinations"]
        assert shown["deliveryConfig"] == {"endpoint": listener.url}


def test_each_is_asked_with_the_token_that_it_takes(market: Marketplace) -> None:
    app, user = application(market), seller(market, "sell.fulfillment", "commerce.notification.subscription")
    assert market.client.get(f"{BASE}/destination", headers=user).status_code == 403
    assert market.client.get(f"{BASE}/subscription", headers=app).status_code == 403
    assert market.client.get(f"{BASE}/subscription", headers=seller(market, "sell.fulfillment")).status_code == 403
    assert market.client.get(f"{BASE}/subscription", headers=user).json()["subscriptions"] == []
    assert market.client.get(f"{BASE}/destination", headers={"Authorization": "Bearer x"}).status_code == 401


def test_what_is_sent_is_signed_and_sent_until_it_is_acknowledged_for_a_day(market: Marketplace) -> None:
    assert isinstance(market.vendor, Ebay)
    app, user = application(market), seller(market, "sell.fulfillment", "commerce.notification.subscription")
    with listening() as listener:
        market.client.put(f"{BASE}/config", json={"alertEmail": "shop@example.com"}, headers=app)
        made = market.client.post(f"{BASE}/destination", json=destination(listener.url), headers=app)
        wanted = {**SUBSCRIBE, "destinationId": made.headers["location"].rpartition("/")[2]}
        for wrong, error in (
            ({"topicId": "ITEM_SOLD"}, 195002),
            ({"destinationId": "x"}, 195013),
            ({"payload": {}}, 195015),
        ):
            answer = market.client.post(f"{BASE}/subscription", json={**wanted, **wrong}, headers=user)
            assert error_of(answer) == (400, error)
        poor = seller(market, "commerce.notification.subscription")
        assert error_of(market.client.post(f"{BASE}/subscription", json=wanted, headers=poor)) == (403, 195011)
        assert market.client.post(f"{BASE}/subscription", json=wanted, headers=user).status_code == 201
        assert market.client.post(f"{BASE}/subscription", json=wanted, headers=user).status_code == 409
        listener.status = 500
        market.admin("sales", listing_id=market.admin("listings", quantity=2)["listingId"])
        until(lambda: len(listener.received) > 2)
        listener.status = 204
        [sent] = market.vendor.notifications.sent
        until(lambda: sent["is_over"])
        body, header = listener.received[-1]
        signature = parsed(header)
        shown = market.client.get(f"{BASE}/public_key/{signature.kid}", headers=app).json()
        assert (shown["algorithm"], shown["digest"]) == ("ECDSA", "SHA1")
        assert PublicKey(shown["key"]).signed(signature, body)
        assert market.client.get(f"{BASE}/public_key/other", headers=app).status_code == 404
        # A day without an answer, and the endpoint is given up.
        listener.status = 500
        market.admin("notifications", topic="MARKETPLACE_ACCOUNT_DELETION", data={"username": "x"})
        until(lambda: market.vendor.notifications.sent[-1]["attempts"] > 0)
        market.admin("clock", seconds=24 * 3600 + 1)
        until(lambda: market.vendor.notifications.sent[-1]["is_over"])
        [one] = market.vendor.notifications.destinations.values()
        assert (one["status"], market.violations["unacknowledged"]) == ("MARKED_DOWN", 1)

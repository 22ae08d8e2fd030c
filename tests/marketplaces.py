"""The test servers as tests use them: behind sockets, with a clock that stands still, and a client of each."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

from sandbox.clock import Clock
from sandbox.discogs import Discogs
from sandbox.ebay import Ebay
from sandbox.server import serving
from sandbox.vendor import Vendor

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""There is none on loopback: to read whom to trust takes longer than most tests."""
START = datetime(2026, 1, 2, 10, 0, tzinfo=UTC)


class Marketplace(NamedTuple):
    """`client` sends what the vendor wants of everybody; `admin` is the sandbox's own path."""

    vendor: Vendor
    url: str
    client: httpx.Client

    def admin(self, deed: str, **body: Any) -> Any:
        response = self.client.post(f"/_sandbox/{deed}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    @property
    def violations(self) -> dict[str, int]:
        found: dict[str, int] = self.client.get("/_sandbox/").json()["violations"]
        return found


@contextmanager
def ebay() -> Iterator[Marketplace]:
    vendor = Ebay(Clock(START))
    with serving(vendor) as server, httpx.Client(base_url=server.url, verify=_NO_TLS) as client:
        there = Marketplace(vendor, server.url, client)
        refresh = there.admin("consents")["refresh_token"]
        body = {"grant_type": "refresh_token", "refresh_token": refresh}
        token = client.post("/identity/v1/oauth2/token", data=body, auth=("client-id", "client-secret")).json()
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        yield there


@contextmanager
def discogs(**options: Any) -> Iterator[Marketplace]:
    vendor = Discogs(Clock(START), **options)
    with serving(vendor) as server, httpx.Client(base_url=server.url, verify=_NO_TLS) as client:
        client.headers["User-Agent"] = "Tests/1.0 +https://shop.example"
        client.headers["Authorization"] = f"Discogs token={vendor.token}"
        yield Marketplace(vendor, server.url, client)

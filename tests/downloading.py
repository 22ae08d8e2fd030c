"""A seller's shop with a file store, and a buyer with a link."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings
from tests.buying import buying, stock
from tests.clients import Key, serving
from tests.selling import bus_of, fulfill


@pytest.fixture
def download_settings(plain_settings: Settings, s3: Settings) -> Settings:
    return replace(plain_settings, s3_bucket=s3.s3_bucket, trusted_proxies=("127.0.0.1/32",))


@pytest.fixture
def blobs(download_settings: Settings) -> Iterator[Blobs]:
    found = Blobs(download_settings)
    yield found
    found.close()


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    with bus_of(database_url) as found:
        yield found


@pytest.fixture
async def seller(download_settings: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(download_settings, key.text) as client:
        yield client


@pytest.fixture
async def buyer(seller: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    async with buying(seller) as client:
        yield client


@pytest.fixture
async def bought(seller: httpx.AsyncClient, bus: Bus, blobs: Blobs, key: Key) -> dict[str, Any]:
    """A purchase of two files, as its seller sees it."""
    return await fulfill(seller, stock(bus, blobs, key.organization))


def is_private(response: httpx.Response) -> bool:
    headers = response.headers
    return (
        headers["x-robots-tag"] == "noindex"
        and headers["referrer-policy"] == "no-referrer"
        and headers["cache-control"] == "no-store"
        and headers["x-content-type-options"] == "nosniff"
    )

"""Downloads as they come: from servers of their own processes, many at once."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from commands.blobs import Blobs
from commands.purchase import EraseBuyer
from commands.settings import Settings
from commands.work import Context
from domain import ids
from tests.buying import JSON, SONG, logs, stock
from tests.clients import PRODUCTS, Key
from tests.selling import PURCHASES, bus_of, fulfill
from tests.server import running

pytestmark = pytest.mark.anyio
LARGE = bytes(range(256)) * 4096 * 64


@pytest.fixture
def download_settings(plain_settings: Settings, s3: Settings) -> Settings:
    return replace(plain_settings, s3_bucket=s3.s3_bucket, trusted_proxies=("127.0.0.1/32",))


@pytest.fixture
def ports(download_settings: Settings, tmp_path: Path) -> Iterator[list[int]]:
    """Two API processes."""
    found = [tmp_path / "one.log", tmp_path / "two.log"]
    with ExitStack() as stack:
        yield [stack.enter_context(running(download_settings, log)) for log in found]
    for log in found:
        assert "unexpected error" not in log.read_text()
        assert "answer broken off" not in log.read_text()
        assert not re.search(r"[\w-]{24}/", log.read_text()), "a token"


def client(port: int, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30)


async def sell(port: int, settings: Settings, key: Key, content: bytes, **fields: Any) -> tuple[dict[str, Any], str]:
    """Sell a file; return the purchase and the path of the file behind its link."""
    with bus_of(settings.database_url) as bus, closing(Blobs(settings)) as blobs:
        product = stock(bus, blobs, key.organization, files={"Song.wav": content})
    async with seller(port, key) as found:
        purchase = await fulfill(found, product, **fields)
    return purchase, f"{page_of(purchase)}{purchase['assets'][0]['uid']}/"


def page_of(purchase: dict[str, Any]) -> str:
    return httpx.URL(purchase["download_url"]).path


def seller(port: int, key: Key) -> httpx.AsyncClient:
    return client(port, Authorization=f"Bearer {key.text}")


async def settled(port: int, key: Key, purchase: dict[str, Any], bytes_sent: int) -> list[dict[str, Any]]:
    """Return the purchase's log once that much was noted in it: that is done when the answer is over."""
    deadline = time.monotonic() + 20
    async with seller(port, key) as found:
        while True:
            entries: list[dict[str, Any]] = (await logs(found, purchase, "?page_size=100"))["results"]
            if sum(entry["bytes_sent"] for entry in entries) >= bytes_sent:
                return entries
            assert time.monotonic() < deadline, entries
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("most", [5, None])
async def test_however_many_come_at_once_no_more_than_the_limit_get_it(
    ports: list[int], download_settings: Settings, key: Key, most: int | None
) -> None:
    """From different addresses, over two processes; and nobody is told that the server is at fault."""
    purchase, path = await sell(ports[0], download_settings, key, SONG, max_downloads=most)

    async def get(number: int) -> int:
        async with client(ports[number % 2], **{"X-Forwarded-For": f"203.0.113.{number}"}) as buyer:
            response = await buyer.get(path)
            assert (response.content == SONG) == (response.status_code == 200)
            return response.status_code

    statuses = Counter(await asyncio.gather(*(get(number) for number in range(50))))
    assert statuses == ({200: 50} if most is None else {200: most, 403: 50 - most})
    entries = await settled(ports[1], key, purchase, len(SONG) * (most or 50))
    async with seller(ports[1], key) as found:
        assert (await found.get(f"{PURCHASES}{purchase['uid']}/")).json()["download_count"] == (most or 50)
    assert all(entry["completed"] for entry in entries)
    assert len({entry["ip"] for entry in entries}) == len(entries) == (most or 50)


async def test_twins_from_one_address_are_one_download(ports: list[int], download_settings: Settings, key: Key) -> None:
    purchase, path = await sell(ports[0], download_settings, key, SONG, max_downloads=1)

    async def get(number: int) -> bytes:
        async with client(ports[number % 2], **{"X-Forwarded-For": "203.0.113.7"}) as buyer:
            response = await buyer.get(path, headers={"Range": f"bytes={number * 1000}-{number * 1000 + 999}"})
            assert response.status_code == 206, response.text
            return response.content

    parts = await asyncio.gather(*(get(number) for number in range(30)))
    assert b"".join(parts) == SONG[:30_000]
    [entry] = await settled(ports[0], key, purchase, 30_000)
    assert entry["bytes_sent"] == 30_000


async def test_who_leaves_in_the_middle_may_go_on_and_the_log_knows_how_much_was_sent(
    ports: list[int], download_settings: Settings, key: Key
) -> None:
    purchase, path = await sell(ports[0], download_settings, key, LARGE, max_downloads=1)
    got = b""
    async with client(ports[0]) as buyer, buyer.stream("GET", path) as response:
        async for chunk in response.aiter_raw():
            got += chunk
            if len(got) > 3_000_000:
                break
        tag = response.headers["etag"]
    [entry] = await settled(ports[1], key, purchase, 1)
    # What was in the buffers on the way is more than the client saw, and far less than the file.
    assert len(got) <= entry["bytes_sent"] < len(LARGE) / 2
    assert not entry["completed"]
    async with client(ports[1]) as buyer:
        assert (await buyer.get(page_of(purchase), headers=JSON)).status_code == 403
        rest = await buyer.get(path, headers={"Range": f"bytes={len(got)}-", "If-Range": tag})
    assert rest.status_code == 206
    assert got + rest.content == LARGE
    [entry] = await settled(ports[1], key, purchase, entry["bytes_sent"] + len(rest.content))
    assert entry["completed"]


async def test_many_slow_buyers_keep_nobody_waiting(ports: list[int], download_settings: Settings, key: Key) -> None:
    """Twenty of them take nothing while others, of the same process, come and go."""
    _, path = await sell(ports[0], download_settings, key, LARGE)
    async with AsyncExitStack() as stack:
        for _ in range(20):
            buyer = await stack.enter_async_context(client(ports[0]))
            await stack.enter_async_context(buyer.stream("GET", path))
        async with seller(ports[0], key) as other, asyncio.timeout(20):
            assert (await other.get(path, headers={"Range": "bytes=0-99"})).content == LARGE[:100]
            assert (await other.get(PRODUCTS)).status_code == 200


async def test_erasing_a_buyer_takes_the_addresses_out_of_the_log(
    ports: list[int], download_settings: Settings, key: Key
) -> None:
    purchase, path = await sell(ports[0], download_settings, key, SONG)
    async with client(ports[0]) as buyer:
        assert (await buyer.get(path)).status_code == 200
    await settled(ports[0], key, purchase, len(SONG))
    with bus_of(download_settings.database_url) as bus:
        id = ids.parse(ids.PURCHASE, purchase["uid"])
        assert id is not None
        bus.execute(EraseBuyer(id=id), Context(key.organization, "system", "request-1"))
    [entry] = await settled(ports[0], key, purchase, len(SONG))
    assert (entry["ip"], entry["user_agent"], entry["completed"]) == (None, None, True)

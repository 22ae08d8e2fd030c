"""Who downloaded what, as its seller reads it, and what nobody does."""

import json
from typing import Any

import httpx
import psycopg
import pytest
from msgspec.structs import replace

from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings
from tests.buying import NOTES, SONG, buying, first_file, logs, offer, stock
from tests.clients import Key, make_key, serving
from tests.selling import PURCHASES, fulfill

pytestmark = pytest.mark.anyio


async def test_half_an_hour_later_it_is_another_download(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any], database_url: str
) -> None:
    url = await first_file(buyer, bought)

    def grow_older(minutes: float) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("UPDATE download SET started = now() - make_interval(secs => 60 * %s)", [minutes])

    await buyer.get(url)
    grow_older(29.9)
    await buyer.get(url)
    assert (await logs(seller, bought))["count"] == 1
    grow_older(30)
    await buyer.get(url)
    assert (await logs(seller, bought))["count"] == 2


async def test_the_log_tells_who_got_what_newest_first(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any], database_url: str
) -> None:
    files = (await offer(buyer, bought))["files"]
    await buyer.get(files[0]["url"], headers={"Range": "bytes=0-99"})
    async with buying(seller, "[2001:DB8::0:7]:4711", **{"User-Agent": "x" * 900}) as other:
        await other.get(files[1]["url"])
    entries = (await logs(seller, bought))["results"]
    assert [entry["asset"] for entry in entries] == [
        {"uid": file["uid"], "filename": file["filename"]} for file in reversed(files)
    ]
    assert [(entry["ip"], entry["bytes_sent"], entry["completed"]) for entry in entries] == [
        ("2001:db8::7", len(NOTES), True),
        ("203.0.113.7", 100, False),
    ]
    assert [entry["user_agent"] for entry in entries] == ["x" * 500, "Browser/1.0"]
    assert entries[0]["started_at"].endswith("Z")
    await buyer.get(files[0]["url"], headers={"Range": "bytes=50-"})
    found = await logs(seller, bought, "?page=2&page_size=1")
    assert (found["count"], found["next"]) == (2, None)
    assert found["previous"].endswith("/download-logs/?page_size=1")
    [entry] = found["results"]
    assert (entry["bytes_sent"], entry["completed"]) == (100 + len(SONG) - 50, True)
    with psycopg.connect(database_url) as connection:
        events = connection.execute("SELECT convert_from(state, 'UTF8') FROM events").fetchall()
    told = "".join(text for [text] in events)
    assert told.count('"download"') == 2
    for personal in ("203.0.113.7", "2001:db8", "Browser/1.0"):
        assert personal not in told


async def test_parts_that_leave_a_gap_do_not_complete_a_download(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any]
) -> None:
    url = await first_file(buyer, bought)
    for asked, is_completed in (("0-499999", False), ("0-499999", False), ("600000-", False), ("400000-599999", True)):
        await buyer.get(url, headers={"Range": f"bytes={asked}"})
        [entry] = (await logs(seller, bought))["results"]
        assert entry["completed"] == is_completed


async def test_the_log_is_for_the_seller_alone(
    seller: httpx.AsyncClient,
    buyer: httpx.AsyncClient,
    bought: dict[str, Any],
    plain_settings: Settings,
    database_url: str,
) -> None:
    path = f"{PURCHASES}{bought['uid']}/download-logs/"
    assert (await buyer.get(path)).status_code == 401
    async with serving(plain_settings, make_key(database_url, "Other").text) as stranger:
        assert (await stranger.get(path)).status_code == 404
    assert (await seller.get(f"{PURCHASES}pur_x/download-logs/")).status_code == 404
    assert (await seller.get(f"{path}?page=2")).json() == {"detail": "Invalid page."}
    empty = await seller.get(path)
    assert empty.json() == {"count": 0, "next": None, "previous": None, "results": []}
    known = await seller.get(path, headers={"If-None-Match": empty.headers["etag"]})
    assert known.status_code == 304


@pytest.mark.parametrize(
    ("forwarded", "ip"),
    [
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 127.0.0.1", "203.0.113.7"),
        ("::ffff:203.0.113.8", "203.0.113.8"),
        ("203.0.113.9:1234", "203.0.113.9"),
        ("203.0.113.9, nonsense", "127.0.0.1"),
    ],
)
async def test_an_address_counts_as_its_trusted_proxy_says(
    seller: httpx.AsyncClient, bought: dict[str, Any], forwarded: str, ip: str
) -> None:
    async with buying(seller, forwarded) as buyer:
        await buyer.get(await first_file(buyer, bought))
    [entry] = (await logs(seller, bought))["results"]
    assert entry["ip"] == ip


async def test_nobody_else_s_word_counts_for_an_address(
    download_settings: Settings, key: Key, bus: Bus, blobs: Blobs
) -> None:
    async with serving(replace(download_settings, trusted_proxies=()), key.text) as seller, buying(seller) as buyer:
        purchase = await fulfill(seller, stock(bus, blobs, key.organization))
        await buyer.get(await first_file(buyer, purchase))
        [entry] = (await logs(seller, purchase))["results"]
        assert entry["ip"] == "127.0.0.1"


async def test_no_line_of_the_log_holds_a_token_or_who_it_was(
    download_settings: Settings, key: Key, bus: Bus, blobs: Blobs, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = replace(download_settings, log_format="json", log_level="debug")
    async with serving(settings, key.text) as seller, buying(seller) as buyer:
        purchase = await fulfill(seller, stock(bus, blobs, key.organization))
        url = await first_file(buyer, purchase)
        await buyer.get(url)
        await buyer.get(f"{purchase['download_url']}all.zip")
        await buyer.get(f"{purchase['download_url']}x")
        blobs.delete(f"{key.organization}/assets/{b'Song.wav'.hex()}/file")
        await buyer.get(url)
    text = capfd.readouterr().err
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    routes = {line["route"] for line in lines if line["event"] == "request"}
    assert "/api/v1/digital/download/{token}/{asset_uid}" in routes
    assert "a file that was sold is missing" in {line["event"] for line in lines}
    for secret in (purchase["download_url"].split("/")[-2], "203.0.113.7", "Browser/1.0"):
        assert secret not in text, secret

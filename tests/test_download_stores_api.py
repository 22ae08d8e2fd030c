"""Files of downloads where they lie: all as one zip, handed over, away, of products that are gone."""

import io
import zipfile
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings
from tests.buying import JSON, NOTES, SONG, buying, first_file, logs, offer, stock
from tests.clients import PRODUCTS, Key, serving
from tests.downloading import is_private
from tests.selling import PURCHASES, fulfill

pytestmark = pytest.mark.anyio


async def test_what_was_sold_stays_there_when_its_product_goes(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any]
) -> None:
    await seller.delete(f"{PRODUCTS}{bought['product']['uid']}/")
    files = (await offer(buyer, bought))["files"]
    assert [(await buyer.get(file["url"])).content for file in files] == [SONG, NOTES]


async def test_all_files_come_as_one_zip_and_count_as_one_each(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bus: Bus, blobs: Blobs, key: Key
) -> None:
    product = stock(
        bus, blobs, key.organization, title="Läs/mig", files={"a.txt": b"one", "A.txt": b"two", "ä.wav": SONG}
    )
    purchase = await fulfill(seller, product, max_downloads=4)
    page = await buyer.get(purchase["download_url"])
    assert f'href="{purchase["download_url"]}all.zip"' in page.text
    one = (await offer(buyer, purchase))["files"][0]["url"]
    assert (await buyer.get(one)).content == b"one"
    response = await buyer.get(f"{purchase['download_url']}all.zip")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/zip")
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["content-disposition"].endswith("filename*=UTF-8''L%C3%A4smig.zip")
    with zipfile.ZipFile(io.BytesIO(response.content)) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == {
            "a.txt": b"one",
            "A (2).txt": b"two",
            "ä.wav": SONG,
        }
    assert (await offer(buyer, purchase))["downloads_remaining"] == 1
    entries = (await logs(seller, purchase))["results"]
    sent = {entry["asset"]["filename"]: (entry["bytes_sent"], entry["completed"]) for entry in entries}
    assert sent == {"a.txt": (6, True), "A.txt": (3, True), "ä.wav": (len(SONG), True)}
    async with buying(seller, "203.0.113.9") as other:
        refused = await other.get(f"{purchase['download_url']}all.zip", headers=JSON)
        assert (refused.status_code, refused.json()) == (
            403,
            {"detail": "This purchase has not enough downloads left for all files."},
        )
        assert "all.zip" not in (await other.get(purchase["download_url"])).text
    assert (await logs(seller, purchase))["count"] == 3


async def test_a_file_store_that_is_away_costs_no_download(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any], blobs: Blobs, key: Key
) -> None:
    url = await first_file(buyer, bought)
    blobs.delete(f"{key.organization}/assets/{b'Song.wav'.hex()}/file")
    for path in (url, f"{bought['download_url']}all.zip"):
        response = await buyer.get(path)
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert "<h1>Not right now</h1>" in response.text
        assert is_private(response)
    assert (await logs(seller, bought))["count"] == 0


async def test_large_files_may_be_handed_to_the_file_store(
    download_settings: Settings, key: Key, bus: Bus, blobs: Blobs
) -> None:
    settings = replace(download_settings, download_redirect_bytes=len(SONG))
    async with serving(settings, key.text) as seller, buying(seller) as buyer:
        purchase = await fulfill(seller, stock(bus, blobs, key.organization))
        files = (await offer(buyer, purchase))["files"]
        assert (await buyer.get(files[1]["url"])).content == NOTES
        handed = await buyer.get(files[0]["url"])
        assert (handed.status_code, handed.content) == (302, b"")
        assert is_private(handed)
        assert (await buyer.head(files[0]["url"])).headers["content-length"] == str(len(SONG))
        async with httpx.AsyncClient() as browser:
            file = await browser.get(handed.headers["location"])
        assert (file.status_code, file.content) == (200, SONG)
        assert file.headers["content-disposition"].startswith('attachment; filename="Song.wav"')
        assert (await logs(seller, purchase))["count"] == 2
        await seller.post(f"{PURCHASES}{purchase['uid']}/revoke/")
        assert (await buyer.get(files[0]["url"])).status_code == 410

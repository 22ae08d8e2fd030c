"""What a link opens and when it does not: never given, revoked, expired, used up."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from commands.blobs import Blobs
from commands.bus import Bus
from tests.buying import JSON, SONG, buying, first_file, offer, stock
from tests.clients import Key
from tests.downloading import is_private
from tests.selling import PURCHASES, fulfill

pytestmark = pytest.mark.anyio

REFUSALS = {
    404: ("Not found.", "This link leads nowhere"),
    "revoked": ("This download was withdrawn by the seller.", "This download was withdrawn"),
    "expired": ("This download has expired.", "This download has expired"),
    403: ("This purchase has no downloads left.", "No downloads are left"),
}


async def assert_refused(buyer: httpx.AsyncClient, path: str, status: int, reason: Any) -> None:
    detail, heading = REFUSALS[reason]
    told = await buyer.get(path, headers=JSON)
    assert (told.status_code, told.json()) == (status, {"detail": detail})
    page = await buyer.get(path)
    assert page.status_code == status
    assert f"<h1>{heading}</h1>" in page.text
    for response in (told, page):
        assert is_private(response)
        assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("token", ["kQ0mXlTQ2S6tQ0n1m1ZbVf3J", "x", "%F0%9F%92%BF", "%00", "a" * 4000, "..%2e"])
async def test_a_link_that_was_never_given_leads_nowhere(buyer: httpx.AsyncClient, token: str) -> None:
    for path in (f"/api/v1/digital/download/{token}/", f"/api/v1/digital/download/{token}/ast_x/"):
        await assert_refused(buyer, path, 404, 404)
    await assert_refused(buyer, f"/api/v1/digital/download/{token}/all.zip", 404, 404)


async def test_a_file_that_was_not_sold_is_not_there(buyer: httpx.AsyncClient, bought: dict[str, Any]) -> None:
    for uid in ("ast_x", "ast_06h0h4ohclofd52hjsgr6sal48", "all.zipx"):
        response = await buyer.get(f"{bought['download_url']}{uid}/", headers=JSON)
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
        page = await buyer.get(f"{bought['download_url']}{uid}/")
        assert f'href="{bought["download_url"]}"' in page.text


async def test_revocation_holds_at_once_and_so_does_taking_it_back(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any]
) -> None:
    url = await first_file(buyer, bought)
    assert (await buyer.get(url)).status_code == 200
    await seller.post(f"{PURCHASES}{bought['uid']}/revoke/")
    for path in (bought["download_url"], url, f"{bought['download_url']}all.zip"):
        await assert_refused(buyer, path, 410, "revoked")
    resumed = await buyer.get(url, headers={"Range": "bytes=5-"})
    assert resumed.status_code == 410, "not even what was begun goes on"
    await seller.post(f"{PURCHASES}{bought['uid']}/restore/")
    assert (await buyer.get(url)).content == SONG


async def test_what_has_expired_is_gone(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bus: Bus, blobs: Blobs, key: Key
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    purchase = await fulfill(seller, stock(bus, blobs, key.organization), expires_at=soon.isoformat())
    url = await first_file(buyer, purchase)
    assert (await buyer.get(url)).status_code == 200
    await asyncio.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.01)
    for path in (purchase["download_url"], url, f"{purchase['download_url']}all.zip"):
        await assert_refused(buyer, path, 410, "expired")


async def test_at_the_limit_page_and_files_are_refused_and_what_was_begun_goes_on(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bus: Bus, blobs: Blobs, key: Key
) -> None:
    purchase = await fulfill(seller, stock(bus, blobs, key.organization), max_downloads=2)
    urls = [file["url"] for file in (await offer(buyer, purchase))["files"]]
    part = await buyer.get(urls[0], headers={"Range": "bytes=0-99"})
    assert part.status_code == 206
    assert (await offer(buyer, purchase))["downloads_remaining"] == 1
    for asked in ("bytes=100-", None):
        again = await buyer.get(urls[0], headers={"Range": asked} if asked else {})
        assert again.status_code in {200, 206}
    assert (await offer(buyer, purchase))["downloads_remaining"] == 1
    async with buying(seller, "203.0.113.8") as other:
        assert (await other.get(urls[0])).status_code == 200
        await assert_refused(other, purchase["download_url"], 403, 403)
        await assert_refused(other, urls[1], 403, 403)
        assert (await other.get(urls[0])).content == SONG
    for path in (purchase["download_url"], urls[1], f"{purchase['download_url']}all.zip"):
        await assert_refused(buyer, path, 403, 403)
    assert (await buyer.get(urls[0], headers={"Range": "bytes=100-"})).content == SONG[100:]
    assert (await buyer.head(urls[1])).status_code == 403
    found = (await seller.get(f"{PURCHASES}{purchase['uid']}/")).json()
    assert found["download_count"] == 2

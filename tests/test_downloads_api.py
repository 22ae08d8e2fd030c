"""What a buyer's link leads to: the page, its files, whole and in parts."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from api.files import attachment
from commands.blobs import Blobs
from commands.bus import Bus
from tests.buying import JSON, NOTES, SONG, first_file, logs, offer, stock
from tests.clients import PRODUCTS, Key
from tests.downloading import is_private
from tests.selling import fulfill
from tests.test_images import encoded, quarters

pytestmark = pytest.mark.anyio

UNKNOWN = "/api/v1/digital/download/kQ0mXlTQ2S6tQ0n1m1ZbVf3J/"


async def test_the_page_as_data_says_all_that_can_be_downloaded(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bus: Bus, blobs: Blobs, key: Key
) -> None:
    product = stock(bus, blobs, key.organization)
    until = datetime(2091, 3, 1, 12, 0, tzinfo=UTC)
    purchase = await fulfill(seller, product, max_downloads=3, expires_at=until.isoformat())
    response = await buyer.get(purchase["download_url"], headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert is_private(response)
    sold = purchase["assets"]
    assert response.json() == {
        "product": {"title": "Drum Kit", "image": None},
        "seller": "Abbey",
        "files": [
            {
                "uid": file["uid"],
                "display_name": None,
                "filename": name,
                "size": len(content),
                "content_type": "audio/wav",
                "url": f"{purchase['download_url']}{file['uid']}/",
            }
            for file, name, content in zip(sold, ("Song.wav", "Läs mig.txt"), (SONG, NOTES), strict=True)
        ],
        "expires_at": "2091-03-01T12:00:00Z",
        "downloads_remaining": 3,
    }
    without = await fulfill(seller, product)
    found = await offer(buyer, without)
    assert (found["expires_at"], found["downloads_remaining"]) == (None, None)


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("application/json, text/plain, */*", True),
        ("Application/JSON; q=0.5", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("*/*", False),
        ("", False),
        ("text/html, application/json;q=0.9", False),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
    ],
)
async def test_browsers_get_html_and_programs_that_ask_for_it_json(
    buyer: httpx.AsyncClient, bought: dict[str, Any], accept: str, is_json: bool
) -> None:
    for path in (bought["download_url"], UNKNOWN):
        response = await buyer.get(path, headers={"Accept": accept})
        assert response.headers["content-type"] == ("application/json" if is_json else "text/html; charset=utf-8")
        assert response.headers["vary"] == "accept"


async def test_the_page_holds_nothing_from_elsewhere_and_no_script(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bus: Bus, blobs: Blobs, key: Key
) -> None:
    product = stock(
        bus, blobs, key.organization, title='<script>"&amp;</script>', files={"<b>.wav": SONG, "b.wav": NOTES}
    )
    purchase = await fulfill(seller, product)
    response = await buyer.get(purchase["download_url"])
    assert response.status_code == 200
    assert is_private(response)
    policy = dict(rule.split(" ", 1) for rule in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "'self'"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert "<script" not in response.text
    assert "&lt;script&gt;" in response.text
    assert "&lt;b&gt;.wav" in response.text
    assert "768 kB" in response.text
    assert "url(" not in response.text
    assert "<link" not in response.text


async def test_the_cover_is_the_product_s_own_picture_and_nobody_else_s(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bus: Bus, blobs: Blobs, key: Key
) -> None:
    product = stock(bus, blobs, key.organization)
    purchase = await fulfill(seller, product)
    elsewhere = "https://pictures.example/1.jpg"
    await seller.post(
        f"{PRODUCTS}{product}/marketplace-presences/", json={"platform_uid": "plat_ebay", "image_url": elsewhere}
    )
    assert (await offer(buyer, purchase))["product"]["image"] == elsewhere
    page = await buyer.get(purchase["download_url"])
    assert "pictures.example" not in page.text + page.headers["content-security-policy"]
    files = {"image": ("cover.png", encoded(quarters(8, 8), "PNG"), "image/png")}
    image = (await seller.post(f"{PRODUCTS}{product}/image/", files=files)).json()["product_image"]
    assert (await offer(buyer, purchase))["product"]["image"] == image
    page = await buyer.get(purchase["download_url"])
    assert f'src="{image.replace(".png", "-1024.webp")}"' in page.text
    assert "img-src 'self' http://testserver;" in page.headers["content-security-policy"]
    await seller.delete(f"{PRODUCTS}{product}/")
    assert (await offer(buyer, purchase))["product"] == {"title": "Drum Kit", "image": None}


async def test_a_file_comes_whole_under_its_name(buyer: httpx.AsyncClient, bought: dict[str, Any]) -> None:
    files = (await offer(buyer, bought))["files"]
    response = await buyer.get(files[0]["url"])
    assert (response.status_code, response.content) == (200, SONG)
    assert is_private(response)
    headers = response.headers
    assert headers["content-disposition"] == "attachment; filename=\"Song.wav\"; filename*=UTF-8''Song.wav"
    assert (headers["content-type"], headers["content-length"]) == ("audio/wav", str(len(SONG)))
    assert headers["accept-ranges"] == "bytes"
    assert headers["last-modified"].endswith(" GMT")
    assert "content-range" not in headers
    other = await buyer.get(files[1]["url"].rstrip("/"))
    assert (other.status_code, other.content) == (200, NOTES)
    named = other.headers["content-disposition"]
    assert named == "attachment; filename=\"Las mig.txt\"; filename*=UTF-8''L%C3%A4s%20mig.txt"
    assert other.headers["etag"] != headers["etag"]
    same = await buyer.get(files[0]["url"], headers={"If-None-Match": headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd", "....etcpasswd"),
        ('a"b\\c\r\nd\u2028e.wav', "a_bcde.wav"),
        ("歌詞.pdf", "__.pdf"),
        ("100%.wav", "100_.wav"),
        ("\u0000", "file"),
    ],
)
def test_no_name_breaks_the_header_or_leaves_its_folder(name: str, plain: str) -> None:
    value = attachment(name)[1].decode("ascii")
    shown, starred = value.removeprefix("attachment; filename=").split("; filename*=UTF-8''")
    assert shown == f'"{plain}"'
    assert not {"/", "\\", "\r", "\n", "\u2028", "\x00"} & set(unquote(starred))


async def test_parts_of_a_file_can_be_asked_for(buyer: httpx.AsyncClient, bought: dict[str, Any]) -> None:
    url, size = await first_file(buyer, bought), len(SONG)
    whole = await buyer.get(url)
    for asked, start, end in (("bytes=0-0", 0, 1), ("bytes=700000-", 700000, size), ("bytes=-5", size - 5, size)):
        part = await buyer.get(url, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, SONG[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.headers["content-length"] == str(end - start)
        assert part.headers["etag"] == whole.headers["etag"]
    for current in (whole.headers["etag"], whole.headers["last-modified"]):
        part = await buyer.get(url, headers={"Range": "bytes=1-2", "If-Range": current})
        assert (part.status_code, part.content) == (206, SONG[1:3])
    for old in ('"old"', "Mon, 01 Jan 2024 00:00:00 GMT"):
        again = await buyer.get(url, headers={"Range": "bytes=1-2", "If-Range": old})
        assert (again.status_code, again.content) == (200, SONG)
    beyond = await buyer.get(url, headers={"Range": f"bytes={size}-", **JSON})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.json() == {"detail": "The file ends before this range."}
    odd = await buyer.get(url, headers={"Range": "lines=1-2"})
    assert (odd.status_code, odd.content) == (200, SONG)


async def test_head_tells_everything_sends_nothing_and_does_not_count(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any]
) -> None:
    url = await first_file(buyer, bought)
    for path in (url, f"{bought['download_url']}all.zip", bought["download_url"]):
        head = await buyer.head(path, headers={"Range": "bytes=0-1"})
        assert (head.status_code, head.content) == (200, b""), path
        assert int(head.headers["content-length"]) > len(NOTES)
        assert "content-range" not in head.headers
    assert (await logs(seller, bought))["count"] == 0
    got = await buyer.get(url)
    head = await buyer.head(url)
    for name in ("etag", "content-length", "content-type", "content-disposition", "last-modified", "accept-ranges"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    "marked", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}]
)
async def test_what_nobody_asked_for_yet_gets_nothing(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, bought: dict[str, Any], marked: dict[str, str]
) -> None:
    url = await first_file(buyer, bought)
    for path in (url, f"{bought['download_url']}all.zip", bought["download_url"]):
        response = await buyer.get(path, headers=marked)
        assert (response.status_code, response.content) == (403, b"")
        assert is_private(response)
    assert (await logs(seller, bought))["count"] == 0

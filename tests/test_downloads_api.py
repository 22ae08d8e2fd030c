import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import psycopg
import pytest
from msgspec.structs import replace

from api.files import attachment
from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings
from tests.buying import JSON, NOTES, SONG, buying, first_file, logs, offer, stock
from tests.clients import PRODUCTS, Key, make_key, serving
from tests.selling import PURCHASES, bus_of, fulfill
from tests.test_images import encoded, quarters

pytestmark = pytest.mark.anyio

UNKNOWN = "/api/v1/digital/download/kQ0mXlTQ2S6tQ0n1m1ZbVf3J/"


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

"""From the sale to the file on the buyer's disk, with all that is in between: API, worker, mail server, browser."""

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, sync_playwright

from commands.settings import Settings
from tests.clients import PRODUCTS, Key
from tests.importing import eventually, working
from tests.mail_server import Mailbox, mail_server
from tests.selling import BUYER, FULFILL, PURCHASES
from tests.server import free_port, running
from tests.test_images import encoded, quarters

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt install chromium)")

SONG = bytes(range(256)) * 5000
NOTES = "Läs mig.\n".encode()
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
SCHEMES: tuple[Any, ...] = ("light", "dark")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as found:
        yield found


@pytest.fixture
def shop_settings(settings: Settings, s3: Settings, mailbox: Mailbox, tmp_path: Path) -> Settings:
    port = free_port()
    return replace(
        settings,
        s3_bucket=s3.s3_bucket,
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
        mail_from="mail@shop.example",
        data=tmp_path,
        log_level="error",
        rate_limit_per_minute=0,
    )


@pytest.fixture
def seller(shop_settings: Settings, key: Key, tmp_path: Path) -> Iterator[httpx.Client]:
    """The seller's client of an API whose workers run."""
    headers = {"Authorization": f"Bearer {key.text}"}
    with (
        running(shop_settings, tmp_path / "api.log", shop_settings.port) as port,
        working(shop_settings),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client,
    ):
        yield client
    assert "error" not in (tmp_path / "api.log").read_text()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


def sell(seller: httpx.Client, mailbox: Mailbox, **fields: Any) -> tuple[dict[str, Any], str]:
    """Sell a product with a cover and two files; return the purchase, and the link in the mail that came of it."""
    uid = seller.post(PRODUCTS, json={"title": "Vinterljus", "type": "digital"}).json()["uid"]
    cover = {"image": ("cover.png", encoded(quarters(600, 600), "PNG"), "image/png")}
    assert seller.post(f"{PRODUCTS}{uid}/image/", files=cover).status_code == 200
    for name, content, shown in (("Björk – 歌.wav", SONG, "The song"), ("notes.txt", NOTES, "")):
        file = {"file": (name, content, "application/octet-stream")}
        sent = seller.post(f"{PRODUCTS}{uid}/digital-assets/", files=file, data={"display_name": shown})
        assert sent.status_code == 201, sent.text
    purchase = seller.post(FULFILL, json={"product_uid": uid, "buyer_email": BUYER, **fields}).json()
    eventually(lambda: bool(mailbox.mails), 30)
    body = mailbox.mails[0].get_body(("html",))
    assert body is not None
    [link] = set(re.findall(r'href="(http[^"]+)"', body.get_content()))
    assert link == purchase["download_url"]
    return purchase, link


def watched(page: Page) -> list[str]:
    """Return what will hold every complaint of the browser, and every address elsewhere that is asked for."""
    complaints: list[str] = []
    # No page of ours has an icon: the browser asks for one all the same.
    page.on("console", lambda m: None if "/favicon.ico" in m.location["url"] else complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if "://127.0.0.1:" in request.url else complaints.append(request.url))
    return complaints


def test_a_buyer_gets_what_was_sold_and_the_seller_sees_it(
    seller: httpx.Client, mailbox: Mailbox, browser: Browser
) -> None:
    purchase, link = sell(seller, mailbox, max_downloads=5)
    context = browser.new_context(viewport=PHONE, java_script_enabled=False, accept_downloads=True)  # type: ignore[arg-type]
    page = context.new_page()
    complaints = watched(page)
    opened = page.goto(link)
    assert opened is not None
    assert opened.status == 200
    assert page.title() == "Vinterljus · Abbey"
    assert page.get_by_role("heading", level=1).inner_text() == "Vinterljus"
    assert "5 downloads are left." in page.inner_text("main")
    assert page.get_by_role("main").count() == 1

    with page.expect_download() as began:
        page.get_by_role("link", name="Download The song, 1.3 MB").click()
    assert Path(began.value.path()).read_bytes() == SONG
    assert began.value.suggested_filename == "Björk – 歌.wav"
    with page.expect_download() as began:
        page.get_by_role("link", name="All files as one zip").click()
    assert began.value.suggested_filename == "Vinterljus.zip"
    with zipfile.ZipFile(io.BytesIO(Path(began.value.path()).read_bytes())) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {"Björk – 歌.wav": SONG, "notes.txt": NOTES}
    assert not complaints

    log = f"{PURCHASES}{purchase['uid']}/download-logs/"
    eventually(lambda: all(entry["completed"] for entry in seller.get(log).json()["results"]), 10)
    entries = seller.get(log).json()["results"]
    assert {entry["asset"]["filename"]: entry["bytes_sent"] for entry in entries} == {
        "Björk – 歌.wav": 2 * len(SONG),
        "notes.txt": len(NOTES),
    }
    assert {entry["ip"] for entry in entries} == {"127.0.0.1"}
    assert all("Chrome" in entry["user_agent"] for entry in entries)
    page.reload()
    assert "3 downloads are left." in page.inner_text("main")

    assert seller.post(f"{PURCHASES}{purchase['uid']}/revoke/").status_code == 200
    again = page.reload()
    assert again is not None
    assert again.status == 410
    assert page.get_by_role("heading", level=1).inner_text() == "This download was withdrawn"
    assert "Abbey has withdrawn it" in page.inner_text("main")
    assert page.get_by_role("link").count() == 0


def test_the_page_fits_every_screen_and_is_legible_in_light_and_in_dark(
    seller: httpx.Client, mailbox: Mailbox, browser: Browser
) -> None:
    _, link = sell(seller, mailbox)
    grounds = set()
    for size, scheme in product((PHONE, DESK), SCHEMES):
        page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        complaints = watched(page)
        page.goto(link)
        assert page.evaluate("document.querySelector('img').naturalWidth") > 0
        cover = page.locator("img").bounding_box()
        assert cover is not None
        assert cover["width"] == cover["height"]
        assert not complaints
        for address in (link, f"{link[:-2]}/", f"{link}ast_x/"):
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            assert page.evaluate("document.documentElement.lang") == "en"
            assert min(page.evaluate(CONTRASTS)) >= 4.5, address
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert len(grounds) == 2


# The contrast of every text to what is behind it (WCAG 2).
CONTRASTS = """() => {
  const parse = (text) => text.match(/[0-9.]+/g).map(Number)
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => {
      v /= 255
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor)
      if (colour.length === 3 || colour[3] > 0) return colour
    }
    return [255, 255, 255]
  }
  return [...document.querySelectorAll('h1, h2, p, li, a, .name, .detail')].map((element) => {
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))]
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
  })
}"""

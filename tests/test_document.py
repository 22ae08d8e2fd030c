"""The commands of the API document, run as written: a shell reads each, and only host, key, uid and file are ours."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from PIL import Image

from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, Key
from tests.server import running

LIST = r"""
curl "https://app.instica.com/api/v1/products/\
?search=beatles\
&has_inventory=true\
&ordering=-updated\
&page_size=10" \
  -H "Authorization: Bearer YOUR_TOKEN"
"""
CREATE = r"""
curl -X POST https://app.instica.com/api/v1/products/ \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "title": "Abbey Road",
    "type": "physical",
    "marketplace_description": "Original 1969 UK pressing.",
    "tags": ["classic-rock", "uk-pressing"],
    "price_override_usd": "29.99"
  }'
"""
GET = r"""
curl https://app.instica.com/api/v1/products/prod_a1b2c3/ \
  -H "Authorization: Bearer YOUR_TOKEN"
"""
UPDATE = r"""
curl -X PATCH \
  https://app.instica.com/api/v1/products/prod_a1b2c3/ \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "title": "Abbey Road (Remastered)",
    "year": "1969",
    "music_label_name": "Apple Records",
    "catalog_number": "PCS 7088",
    "marketplace_description": "Original UK pressing.",
    "tags": ["classic-rock", "remastered"],
    "price_override_usd": "34.99"
  }'
"""
DELETE = r"""
curl -X DELETE \
  https://app.instica.com/api/v1/products/prod_a1b2c3/ \
  -H "Authorization: Bearer YOUR_TOKEN"
"""
UPLOAD = r"""
curl -X POST \
  https://app.instica.com/api/v1/products/prod_a1b2c3/image/ \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -F "image=@/path/to/album-cover.jpg"
"""
CREATE_PRESENCE = r"""
curl -X POST \
  https://app.instica.com/api/v1/products/prod_a1b2c3/\
marketplace-presences/ \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "platform_uid": "plat_ebay",
    "external_listing_id": "394857201",
    "external_url": "https://ebay.com/itm/394857201",
    "listing_price_usd": "34.99",
    "listing_currency": "USD",
    "status": "active",
    "is_selling_enabled": true
  }'
"""


class Curl:
    """Runs commands against a server. `uid` and `file` stand in for the document's own."""

    def __init__(self, url: str, key: str, file: Path) -> None:
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"})
        self.uid = "prod_a1b2c3"
        self._ours = {"https://app.instica.com": url, "YOUR_TOKEN": key, "/path/to/album-cover.jpg": str(file)}

    def run(self, command: str) -> httpx.Response:
        for theirs, ours in {**self._ours, "prod_a1b2c3": self.uid}.items():
            command = command.replace(theirs, ours)
        # The shell takes the command apart; curl itself need not be installed.
        script = 'curl() { printf "%s\\0" "$@"; }\n' + command
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        return self._request(iter(done.stdout.split("\0")[:-1]))

    def _request(self, words: Iterator[str]) -> httpx.Response:
        method, url, body = "GET", "", None
        headers: dict[str, str] = {}
        files: dict[str, tuple[str, bytes]] = {}
        for word in words:
            match word:
                case "-X":
                    method = next(words)
                case "-H":
                    name, _, value = next(words).partition(": ")
                    headers[name] = value
                case "-d":
                    # curl leaves the line ends of -d out.
                    body = next(words).replace("\n", "")
                case "-F":
                    name, _, path = next(words).partition("=@")
                    files[name] = (Path(path).name, Path(path).read_bytes())
                case _:
                    url = word
        return httpx.request(method, url, headers=headers, content=body, files=files or None)


@pytest.fixture
def curl(plain_settings: Settings, s3: Settings, key: Key, tmp_path: Path) -> Iterator[Curl]:
    file = tmp_path / "album-cover.jpg"
    Image.new("RGB", (60, 60), (20, 60, 90)).save(file)
    with running(replace(plain_settings, s3_bucket=s3.s3_bucket), tmp_path / "api.log") as port:
        curl = Curl(f"http://127.0.0.1:{port}", key.text, file)
        with curl.client:
            yield curl


def test_every_command_of_the_document_does_what_it_says(curl: Curl) -> None:
    created = curl.run(CREATE)
    assert created.status_code == 201
    product = created.json()
    said: dict[str, Any] = {
        "title": "Abbey Road",
        "type": "physical",
        "type_display": "Physical",
        "artist": None,
        "music_label": None,
        "catalog_number": None,
        "tags": ["classic-rock", "uk-pressing"],
        "price_override_usd": "29.99",
        "total_inventory_count": 0,
        "listed_inventory_count": 0,
        "available_inventory_count": 0,
        "inventory_items": [],
        "marketplace_presences": [],
    }
    assert {name: product[name] for name in said} == said
    curl.uid = product["uid"]
    assert curl.run(GET).json() == product

    updated = curl.run(UPDATE)
    assert (updated.status_code, updated.json()["uid"]) == (200, curl.uid)
    assert updated.json()["music_label"]["name"] == "Apple Records"
    said = {
        "title": "Abbey Road (Remastered)",
        "catalog_number": "PCS 7088",
        "year": "1969",
        "tags": ["classic-rock", "remastered"],
        "price_override_usd": "34.99",
    }
    assert {name: updated.json()[name] for name in said} == said
    assert updated.json()["updated"] > product["updated"]

    path = f"{PRODUCTS}{curl.uid}/"
    curl.client.patch(path, json={"artist_name": "The Beatles"}).raise_for_status()
    assert curl.run(LIST).json()["count"] == 0
    curl.client.post(INVENTORY, json={"product_uid": curl.uid, "condition_item": "vg_plus"}).raise_for_status()
    [listed] = curl.run(LIST).json()["results"]
    assert listed == curl.run(GET).json()
    assert [item["title"] for item in listed["inventory_items"]] == ["Abbey Road (Remastered) — VG+"]

    made = curl.run(CREATE_PRESENCE)
    assert made.status_code == 201
    said = {
        "platform": {"uid": "plat_ebay", "name": "eBay", "slug": "ebay"},
        "external_listing_id": "394857201",
        "external_url": "https://ebay.com/itm/394857201",
        "status": "active",
        "listing_price": "34.99",
        "listing_currency": "USD",
        "listing_price_usd": "34.99",
        "is_selling_enabled": True,
    }
    assert {name: made.json()[name] for name in said} == said
    assert curl.run(GET).json()["marketplace_presences"] == [made.json()]

    uploaded = curl.run(UPLOAD)
    assert uploaded.status_code == 200
    picture = httpx.get(curl.run(GET).json()["product_image"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")

    deleted = curl.run(DELETE)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert curl.run(GET).status_code == 404
    assert curl.run(LIST).json()["count"] == 0
    assert curl.client.get(INVENTORY).json()["count"] == 0

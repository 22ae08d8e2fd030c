"""Pictures beyond the upload: sizes, addresses, what is away or collected, what bad ones cost."""

import io
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import httpx
import psutil
import pytest
from msgspec.structs import replace
from PIL import Image

from commands.blobs import Blobs
from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, Key, create, serving
from tests.importing import working
from tests.picturing import BLUE, FOREVER, RED, new_item, picture, shown, upload
from tests.server import running
from tests.test_images import BOMBS, BROKEN_METADATA, encoded, files, is_close, quarters
from tests.test_imports_api import stored_files
from workers.images import Collector

pytestmark = pytest.mark.anyio


async def test_small_sizes_are_served_once_they_are_made_and_the_original_until_then(
    shop: httpx.AsyncClient, anyone: httpx.AsyncClient, image_settings: Settings
) -> None:
    product = (await create(shop))["uid"]
    url = (await upload(shop, product, encoded(quarters(1200, 600), "PNG"), "x.png")).json()["product_image"]
    assert url.endswith("/image.png")
    small, large = (url.replace(".png", f"-{side}.webp") for side in (256, 1024))
    before = await anyone.get(small)
    assert before.content == (await anyone.get(url)).content
    assert (before.headers["content-type"], before.headers["cache-control"]) == ("image/png", "public, max-age=30")
    with working(image_settings), anyio.fail_after(30):
        while True:
            if (await anyone.get(large)).headers["content-type"] == "image/webp":
                break
            await anyio.sleep(0.1)
    for address, sides in ((small, (256, 128)), (large, (1024, 512))):
        served = await anyone.get(address)
        assert (served.headers["content-type"], served.headers["cache-control"]) == ("image/webp", FOREVER)
        assert int(served.headers["content-length"]) == len(served.content)
        image = Image.open(io.BytesIO(served.content))
        assert (image.format, image.size) == ("WEBP", sides)
        assert is_close(image, (4, 4), RED)
        assert is_close(image, (sides[0] - 4, 4), BLUE)
    again = await anyone.get(small, headers={"If-None-Match": before.headers["etag"]})
    assert again.status_code == 200, "the original that stood in for it is not it"


async def test_pictures_are_where_the_setting_says_in_every_answer(
    image_settings: Settings, key: Key, shop: httpx.AsyncClient
) -> None:
    cdn = "https://cdn.example/shop"
    async with serving(replace(image_settings, media_base_url=cdn), key.text) as client:
        product = (await create(client))["uid"]
        item = await new_item(client, product)
        photo = await client.post(f"{INVENTORY}{item}/assets/", files={"file": ("a.jpg", picture())})
        once = {"Idempotency-Key": "once"}
        answers = {
            "upload": await upload(client, product, picture(), **once),
            "repeated upload": await upload(client, product, picture(), **once),
            "detail": await client.get(f"{PRODUCTS}{product}/"),
            "list": await client.get(PRODUCTS),
            "patch": await client.patch(f"{PRODUCTS}{product}/", json={"title": "B"}),
            "photo": photo,
            "photos": await client.get(f"{INVENTORY}{item}/assets/"),
            "one photo": await client.get(photo.headers["location"]),
            "item": await client.get(f"{INVENTORY}{item}/"),
            "items": await client.get(INVENTORY),
            "patched item": await client.patch(f"{INVENTORY}{item}/", json={"name": "B"}),
        }
        for name, answer in answers.items():
            assert answer.status_code in {200, 201}, name
            assert f'"{cdn}/media/' in answer.text, name
            assert "http://testserver/media/" not in answer.text, name
            assert "\\u0007" not in answer.text, name
        address = answers["detail"].json()["product_image"].removeprefix(cdn)
        # What the CDN asks the deployment for.
        assert (await client.get(address)).status_code == 200
    assert await shown(shop, product) == f"http://testserver{address}"


async def test_without_the_file_store_nothing_is_uploaded_and_nothing_said_to_be(
    image_settings: Settings, key: Key, shop: httpx.AsyncClient
) -> None:
    product = (await create(shop))["uid"]
    url = (await upload(shop, product, picture())).json()["product_image"]
    gone = replace(image_settings, s3_endpoint_url="http://127.0.0.1:1")
    async with serving(gone, key.text) as client:
        for response in (await upload(client, product, picture()), await client.get(url)):
            assert (response.status_code, "retry-after" in response.headers) == (503, True)
        assert "cache-control" not in response.headers
    assert await shown(shop, product) == url


async def test_a_replaced_picture_is_there_until_it_is_collected(
    shop: httpx.AsyncClient, anyone: httpx.AsyncClient, image_settings: Settings
) -> None:
    product = (await create(shop))["uid"]
    first, second = [(await upload(shop, product, picture())).json()["product_image"] for _ in range(2)]
    assert (await anyone.get(first)).status_code == 200
    blobs = Blobs(image_settings)
    collector = Collector(image_settings.database_url, blobs, 0.0)
    assert await anyio.to_thread.run_sync(collector.collect) == 1
    assert (await anyone.get(first)).status_code == 404
    assert (await anyone.get(second)).status_code == 200
    await shop.delete(f"{PRODUCTS}{product}/")
    assert await anyio.to_thread.run_sync(collector.collect) == 1
    assert (await anyone.get(second)).status_code == 404
    assert stored_files(image_settings) == []
    blobs.close()


def held_bytes(process: psutil.Process) -> int:
    """Return what a process and those it started have held at most, the one that held most."""
    most = 0
    for one in (process, *process.children(recursive=True)):
        lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
        most = max(most, *(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")))
    return most


def test_bad_pictures_cost_a_server_neither_memory_nor_time(image_settings: Settings, key: Key, tmp_path: Path) -> None:
    all_bad: dict[str, Callable[[], bytes]] = {name: partial(bytes, data) for name, data in files("bad").items()}
    all_bad.update(BOMBS)
    before_start = {child.pid for child in psutil.Process(os.getpid()).children()}
    with running(image_settings, tmp_path / "api.log") as port:
        [server] = [c for c in psutil.Process(os.getpid()).children() if c.pid not in before_start]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key.text}) as client:
            uid = client.post(PRODUCTS, json={"title": "Abbey Road"}).json()["uid"]

            def send(data: bytes) -> httpx.Response:
                return client.post(f"{PRODUCTS}{uid}/image/", files={"image": ("a", data)}, timeout=20)

            assert send(picture()).status_code == 200
            before = held_bytes(server)
            for name, make in all_bad.items():
                data = make()
                started = time.monotonic()
                status = send(data).status_code
                seconds = time.monotonic() - started
                assert status == (200 if name in BROKEN_METADATA else 400), name
                assert seconds < 2, name
                assert held_bytes(server) - before < 100 * 1024**2, name

import io
import os
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil
import pytest
from msgspec.structs import replace
from PIL import Image

from commands.blobs import Blobs
from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, Key, create, make_key, serving
from tests.importing import needs_shared, working
from tests.server import running
from tests.test_images import BOMBS, BROKEN_METADATA, ORIENTATION, encoded, exif, files, is_close, quarters
from tests.test_imports_api import stored_files
from workers.images import Collector

pytestmark = pytest.mark.anyio

INVALID = "Upload a valid image. The file you uploaded was either not an image or a corrupted image."
MISSING = "prod_06h0gqr8ulokt6nds0s2ndgtpg"
FOREVER = "public, max-age=31536000, immutable"
RED, BLUE, GREEN = (254, 0, 0), (0, 0, 254), (0, 128, 0)


@pytest.fixture
def image_settings(plain_settings: Settings, s3: Settings) -> Settings:
    return replace(plain_settings, s3_bucket=s3.s3_bucket)


@pytest.fixture
async def shop(image_settings: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(image_settings, key.text) as client:
        yield client


@pytest.fixture
async def anyone(image_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Who has no key."""
    async with serving(image_settings) as client:
        yield client


def picture(colour: tuple[int, int, int] = RED, format: str = "JPEG", sides: tuple[int, int] = (60, 40)) -> bytes:
    return encoded(Image.new("RGB", sides, colour), format)


async def upload(
    client: httpx.AsyncClient, product: str, data: bytes, name: str = "cover.jpg", **headers: str
) -> httpx.Response:
    sent = {"image": (name, data, "application/octet-stream")}
    return await client.post(f"{PRODUCTS}{product}/image/", files=sent, headers=headers)


async def new_item(client: httpx.AsyncClient, product: str) -> str:
    response = await client.post(INVENTORY, json={"product_uid": product})
    assert response.status_code == 201, response.text
    uid: str = response.json()["uid"]
    return uid


async def add_photo(client: httpx.AsyncClient, item: str, data: bytes, name: str = "photo.jpg") -> dict[str, Any]:
    response = await client.post(f"{INVENTORY}{item}/assets/", files={"file": (name, data)})
    assert response.status_code == 201, response.text
    photo: dict[str, Any] = response.json()
    return photo


async def shown(client: httpx.AsyncClient, product: str) -> str | None:
    """Return the product's picture, which its detail and the list say alike."""
    found = (await client.get(f"{PRODUCTS}{product}/")).json()
    listed = (await client.get(PRODUCTS)).json()["results"]
    assert found in listed
    url: str | None = found["product_image"]
    return url


async def fetched(client: httpx.AsyncClient, url: str) -> Image.Image:
    response = await client.get(url)
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


async def test_an_uploaded_picture_is_the_products_and_anyone_may_fetch_it(
    shop: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    product = await create(shop)
    response = await upload(shop, product["uid"], encoded(quarters(), "JPEG", exif=exif(3)), "Abbey Road.jpeg")
    assert response.status_code == 200, response.text
    updated = response.json()
    assert updated == (await shop.get(f"{PRODUCTS}{product['uid']}/")).json()
    assert {**updated, "product_image": None, "updated": product["updated"]} == product
    assert response.headers["etag"] == (await shop.get(f"{PRODUCTS}{product['uid']}/")).headers["etag"]
    url = updated["product_image"]
    assert url.startswith("http://testserver/media/")
    assert await shown(shop, product["uid"]) == url

    served = await anyone.get(url)
    assert (served.status_code, served.headers["content-type"]) == (200, "image/jpeg")
    assert served.headers["cache-control"] == FOREVER
    assert served.headers["x-content-type-options"] == "nosniff"
    assert served.headers["content-security-policy"] == "default-src 'none'"
    assert int(served.headers["content-length"]) == len(served.content)
    image = Image.open(io.BytesIO(served.content))
    assert is_close(image, (61, 30), RED)
    assert not image.getexif()


async def test_a_picture_fetched_again_is_not_sent_again(shop: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    product = await create(shop)
    url = (await upload(shop, product["uid"], picture())).json()["product_image"]
    first = await anyone.get(url)
    for sent in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = await anyone.get(url, headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["cache-control"]) == (first.headers["etag"], FOREVER)
    assert (await anyone.get(url, headers={"If-None-Match": '"another"'})).status_code == 200
    head = await anyone.head(url)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "cache-control", "content-type", "content-length"):
        assert head.headers[name] == first.headers[name]


async def test_what_has_no_picture_is_not_found(shop: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    product = await create(shop)
    url = (await upload(shop, product["uid"], picture())).json()["product_image"]
    token = url.split("/")[-2]
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    for path in (
        f"/media/{other}/image.jpg",
        f"/media/{token}/image.png",
        f"/media/{token}/image-512.webp",
        f"/media/{token}/other.jpg",
        f"/media/{token}/..%2fimage.jpg",
        f"/media/{token.upper()}/image.jpg",
        f"/media/%00{token[3:]}/image.jpg",
        f"/media/{token}",
        "/media/",
    ):
        response = await anyone.get(path)
        assert (response.status_code, response.json()) == (404, {"detail": "Not found."}), path
        assert "cache-control" not in response.headers


@needs_shared
async def test_real_pictures_are_served_upright(shop: httpx.AsyncClient) -> None:
    for name, data in files("good").items():
        product = await create(shop)
        response = await upload(shop, product["uid"], data, name)
        assert response.status_code == 200, response.text
        served = await shop.get(response.json()["product_image"])
        ending = name.rpartition(".")[2]
        assert served.headers["content-type"] == f"image/{({'jpg': 'jpeg', 'gif': 'png'}).get(ending, ending)}", name
        with Image.open(io.BytesIO(data)) as sent, Image.open(io.BytesIO(served.content)) as image:
            turned = sent.getexif().get(ORIENTATION, 1) > 4
            assert image.size == (sent.size[::-1] if turned else sent.size), name
            assert not image.getexif(), name


@needs_shared
async def test_bad_pictures_are_refused_and_nothing_is_kept_of_them(
    shop: httpx.AsyncClient, image_settings: Settings
) -> None:
    product = await create(shop)
    for name, data in files("bad").items():
        if name in BROKEN_METADATA:
            assert (await upload(shop, (await create(shop))["uid"], data, name)).status_code == 200, name
            continue
        response = await upload(shop, product["uid"], data, name)
        assert response.status_code == 400, name
        [message] = response.json()["image"]
        assert message == INVALID or message.startswith("Ensure this image has no "), name
    assert (await shop.get(f"{PRODUCTS}{product['uid']}/")).json() == product
    assert len(stored_files(image_settings)) == len(BROKEN_METADATA)


async def test_what_is_wrong_with_an_upload_is_said(shop: httpx.AsyncClient) -> None:
    product, item = (await create(shop))["uid"], ""
    item = await new_item(shop, product)
    for path, field in ((f"{PRODUCTS}{product}/image/", "image"), (f"{INVENTORY}{item}/assets/", "file")):
        sent: list[tuple[dict[str, Any], str]] = [
            ({"files": {"other": ("a.jpg", picture())}}, "No file was submitted."),
            ({"files": {field: ("", b"")}}, "No file was submitted."),
            ({"files": {field: ("a.jpg", b"")}}, "The submitted file is empty."),
            ({"files": {field: ("a.jpg", b"no picture")}}, INVALID),
            ({"files": {field: ("a.svg", b"<svg/>", "image/svg+xml")}}, INVALID),
            ({"files": {field: ("a.jpg", picture()[:-200])}}, INVALID),
        ]
        for body, message in sent:
            response = await shop.post(path, **body)
            assert (response.status_code, response.json()) == (400, {field: [message]}), body
        response = await shop.post(path, data={field: "text"}, files={"other": ("x", b"x")})
        assert response.json()[field][0].startswith("The submitted data was not a file.")
        assert (await shop.post(path, json={})).status_code == 415
        assert (await shop.post(path)).status_code == 415
    assert await shown(shop, product) is None


async def test_a_picture_over_a_limit_is_refused(image_settings: Settings, key: Key) -> None:
    limits = replace(image_settings, image_limit_bytes=30_000, image_limit_pixels=2400)
    async with serving(limits, key.text) as client:
        product = (await create(client))["uid"]
        assert (await upload(client, product, b"\xff\xd8\xff" + bytes(30_001))).status_code == 413
        assert (await upload(client, product, b"\xff\xd8\xff" + bytes(5_000_000))).status_code == 413
        response = await upload(client, product, picture(sides=(60, 41)))
        assert response.json() == {"image": ["Ensure this image has no more than 0.0024 million pixels."]}
        assert (await upload(client, product, picture(sides=(60, 40)))).status_code == 200


async def test_what_is_another_organizations_is_not_found(
    shop: httpx.AsyncClient, image_settings: Settings, database_url: str
) -> None:
    product = (await create(shop))["uid"]
    item = await new_item(shop, product)
    photo = (await add_photo(shop, item, picture()))["uid"]
    other = make_key(database_url, "Zapple")
    missing = {"detail": "Not found."}
    async with serving(image_settings, other.text) as client:
        for uid, of in ((product, item), (MISSING, f"inv_{MISSING[5:]}"), ("prod_nonsense", "inv_nonsense")):
            answers = [
                await upload(client, uid, picture()),
                await client.delete(f"{PRODUCTS}{uid}/image/"),
                await client.get(f"{INVENTORY}{of}/assets/"),
                await client.post(f"{INVENTORY}{of}/assets/", files={"file": ("a.jpg", picture())}),
                await client.post(f"{INVENTORY}{of}/assets/", files={"file": ("a.jpg", b"")}),
                await client.get(f"{INVENTORY}{of}/assets/{photo}/"),
                await client.delete(f"{INVENTORY}{of}/assets/{photo}/"),
            ]
            assert [(answer.status_code, answer.json()) for answer in answers] == [(404, missing)] * 7
    for uid in (f"ast_{MISSING[5:]}", "ast_nonsense", photo.upper()):
        for method in ("GET", "DELETE"):
            response = await shop.request(method, f"{INVENTORY}{item}/assets/{uid}/")
            assert (response.status_code, response.json()) == (404, missing)


async def test_who_may_only_read_uploads_and_deletes_nothing(
    shop: httpx.AsyncClient, anyone: httpx.AsyncClient, image_settings: Settings, database_url: str, key: Key
) -> None:
    product = (await create(shop))["uid"]
    item = await new_item(shop, product)
    photo = (await add_photo(shop, item, picture()))["uid"]
    assets = f"{INVENTORY}{item}/assets/"
    reading = make_key(database_url, scopes=("read",), of=key.organization)
    async with serving(image_settings, reading.text) as reader:
        for client, status in ((reader, 403), (anyone, 401)):
            answers = [
                await upload(client, product, picture()),
                await client.delete(f"{PRODUCTS}{product}/image/"),
                await client.post(assets, files={"file": ("a.jpg", picture())}),
                await client.delete(f"{assets}{photo}/"),
            ]
            assert [answer.status_code for answer in answers] == [status] * 4
        assert [found["uid"] for found in (await reader.get(assets)).json()] == [photo]
        assert (await reader.get(f"{assets}{photo}/")).status_code == 200
    assert (await anyone.get(assets)).status_code == 401


async def test_a_repeated_upload_is_one_picture(shop: httpx.AsyncClient, image_settings: Settings) -> None:
    product = (await create(shop))["uid"]
    item = await new_item(shop, product)
    once = {"Idempotency-Key": "once"}
    first = await upload(shop, product, picture(), **once)
    await shop.patch(f"{PRODUCTS}{product}/", json={"title": "Changed meanwhile"})
    again = await upload(shop, product, picture(), **once)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert [summary["uid"] for summary in again.json()["inventory_items"]] == [item]
    for data, name in ((picture(BLUE), "cover.jpg"), (picture(), "another.jpg")):
        assert (await upload(shop, product, data, name, **once)).status_code == 422
    refused = await upload(shop, product, b"no picture", **{"Idempotency-Key": "twice"})
    assert refused.status_code == 400
    assert (await upload(shop, product, picture(), **{"Idempotency-Key": "twice"})).status_code == 200
    assert len(stored_files(image_settings)) == 2

    path, sent = f"{INVENTORY}{item}/assets/", {"file": ("a.jpg", picture())}
    made = await shop.post(path, files=sent, headers={"Idempotency-Key": "thrice"})
    again = await shop.post(path, files=sent, headers={"Idempotency-Key": "thrice"})
    assert (again.status_code, again.json()) == (201, made.json())
    assert again.headers["location"] == made.headers["location"]
    assert len((await shop.get(path)).json()) == 1


async def test_twins_at_once_are_one_photo(shop: httpx.AsyncClient) -> None:
    item = await new_item(shop, (await create(shop))["uid"])
    path, answers = f"{INVENTORY}{item}/assets/", []

    async def send() -> None:
        sent = {"file": ("a.jpg", picture())}
        answers.append(await shop.post(path, files=sent, headers={"Idempotency-Key": "twins"}))

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(send)
    assert {(answer.status_code, answer.json()["uid"]) for answer in answers} == {(201, answers[0].json()["uid"])}
    assert len((await shop.get(path)).json()) == 1


async def test_photos_are_listed_in_the_order_they_came_and_deleted_one_by_one(shop: httpx.AsyncClient) -> None:
    product = (await create(shop))["uid"]
    item = await new_item(shop, product)
    path = f"{INVENTORY}{item}/assets/"
    assert (await shop.get(path)).json() == []
    response = await shop.post(path, files={"file": ("../Rückseite\u202e.png", picture(format="PNG", sides=(9, 5)))})
    assert response.status_code == 201
    first = response.json()
    assert list(first) == ["uid", "url", "filename", "content_type", "width", "height", "created"]
    assert first["uid"].startswith("ast_")
    assert (first["filename"], first["content_type"]) == ("Rückseite.png", "image/png")
    assert (first["width"], first["height"]) == (9, 5)
    assert response.headers["location"] == f"{path}{first['uid']}/"
    second = await add_photo(shop, item, picture(BLUE))
    assert (await shop.get(path)).json() == [first, second]
    assert (await shop.get(f"{INVENTORY}{item}/")).json()["assets"] == [first, second]

    one = f"{path}{first['uid']}/"
    found = await shop.get(one)
    assert found.json() == first
    assert found.headers["etag"] == response.headers["etag"]
    known = {"If-None-Match": found.headers["etag"]}
    assert (await shop.get(one, headers=known)).status_code == 304
    listed = await shop.get(path)
    assert (await shop.get(path, headers={"If-None-Match": listed.headers["etag"]})).status_code == 304
    assert (await shop.delete(one, headers={"If-Match": '"stale"'})).status_code == 412
    deleted = await shop.delete(one, headers={"If-Match": found.headers["etag"]})
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await shop.delete(one)).status_code == 404
    assert (await shop.get(one)).status_code == 404
    assert (await shop.get(path)).json() == [second]
    assert (await shop.get(f"{path}{second['uid']}/", headers=known)).status_code == 304


async def test_the_uploaded_picture_comes_first_then_the_oldest_items_photo_then_a_presences(
    shop: httpx.AsyncClient,
) -> None:
    """Whatever is added, replaced or deleted."""
    product = (await create(shop))["uid"]
    presences = f"{PRODUCTS}{product}/marketplace-presences/"
    one, other = "https://shop.example/1.jpg", "https://shop.example/2.jpg"
    numbers = []
    for listing, url in enumerate((None, one, other)):
        sent = {"platform_uid": "plat_ebay", "external_listing_id": str(listing), "image_url": url}
        response = await shop.post(presences, json=sent)
        numbers.append(response.json()["id"])
    assert await shown(shop, product) == one
    items = [await new_item(shop, product) for _ in range(2)]
    late = await add_photo(shop, items[1], picture())
    assert await shown(shop, product) == late["url"]
    early = [await add_photo(shop, items[0], picture()) for _ in range(2)]
    assert await shown(shop, product) == early[0]["url"]
    uploads = [(await upload(shop, product, picture())).json()["product_image"] for _ in range(2)]
    assert len({*uploads, *(photo["url"] for photo in (late, *early))}) == 5
    assert await shown(shop, product) == uploads[1]

    image = f"{PRODUCTS}{product}/image/"
    stale = (await shop.get(f"{PRODUCTS}{product}/")).headers["etag"]
    await shop.patch(f"{PRODUCTS}{product}/", json={"year": "1969"})
    assert (await shop.delete(image, headers={"If-Match": stale})).status_code == 412
    response = await shop.delete(image)
    assert (response.status_code, response.content) == (204, b"")
    assert (await shop.delete(image)).status_code == 404
    assert await shown(shop, product) == early[0]["url"]
    await shop.delete(f"{INVENTORY}{items[0]}/assets/{early[0]['uid']}/")
    assert await shown(shop, product) == early[1]["url"]
    await shop.delete(f"{INVENTORY}{items[0]}/")
    assert await shown(shop, product) == late["url"]
    await shop.delete(f"{INVENTORY}{items[1]}/assets/{late['uid']}/")
    assert await shown(shop, product) == one
    await shop.patch(f"{presences}{numbers[0]}/", json={"image_url": "https://shop.example/0.jpg"})
    assert await shown(shop, product) == "https://shop.example/0.jpg"
    await shop.delete(f"{presences}{numbers[0]}/")
    await shop.delete(f"{presences}{numbers[1]}/")
    assert await shown(shop, product) == other
    await shop.delete(f"{presences}{numbers[2]}/")
    assert await shown(shop, product) is None


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

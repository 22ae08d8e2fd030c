"""Pictures of products: uploaded, served, refused."""

import io
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from PIL import Image

from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, Key, create, make_key, serving
from tests.importing import needs_shared
from tests.picturing import BLUE, FOREVER, RED, add_photo, new_item, picture, shown, upload
from tests.test_images import BROKEN_METADATA, ORIENTATION, encoded, exif, files, is_close, quarters
from tests.test_imports_api import stored_files

pytestmark = pytest.mark.anyio

INVALID = "Upload a valid image. The file you uploaded was either not an image or a corrupted image."
MISSING = "prod_06h0gqr8ulokt6nds0s2ndgtpg"


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

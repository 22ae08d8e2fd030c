"""Photos of items, and which picture is a product's."""

import anyio
import httpx
import pytest

from tests.clients import INVENTORY, PRODUCTS, create
from tests.picturing import BLUE, add_photo, new_item, picture, shown, upload

pytestmark = pytest.mark.anyio


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

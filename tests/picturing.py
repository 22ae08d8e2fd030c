"""A shop with a file store for pictures, and what is done with them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from PIL import Image

from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, Key, serving
from tests.test_images import encoded

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

"""A buyer with a download link, at an address of their own."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx

from commands.blobs import Blobs
from commands.bus import Bus
from commands.work import Context
from domain import ids
from tests.selling import PURCHASES, add_asset, digital_product

JSON = {"Accept": "application/json"}
SONG = bytes(range(256)) * 3000
NOTES = "Läs mig.\n".encode()
FILES = {"Song.wav": SONG, "Läs mig.txt": NOTES}


@asynccontextmanager
async def buying(
    seller: httpx.AsyncClient, address: str = "203.0.113.7", **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the same app without a key, at an address."""
    transport = httpx.ASGITransport(app=seller._transport.app)  # type: ignore[attr-defined]
    given = {"X-Forwarded-For": address, "User-Agent": "Browser/1.0", **headers}
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=given) as client:
        yield client


def stock(
    bus: Bus, blobs: Blobs, organization: UUID, files: Mapping[str, bytes] = FILES, title: str = "Drum Kit"
) -> str:
    """Make a product whose files are these, in their order; return its uid."""
    product = digital_product(bus, organization, title=title)
    for name, content in files.items():
        put(bus, blobs, organization, product, name, content)
    return product


def put(bus: Bus, blobs: Blobs, organization: UUID, product: str, name: str, content: bytes, **values: Any) -> None:
    id = ids.parse(ids.PRODUCT, product)
    assert id is not None
    blob = f"{organization}/assets/{name.encode().hex()}/file"
    blobs.put(blob, io.BytesIO(content), len(content))
    facts = {"size_bytes": len(content), "blob": blob, "content_type": "audio/wav", **values}
    add_asset(bus, Context(organization, "key_1", "request-1"), id, name, **facts)


async def offer(buyer: httpx.AsyncClient, purchase: dict[str, Any]) -> dict[str, Any]:
    response = await buyer.get(purchase["download_url"], headers=JSON)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def first_file(buyer: httpx.AsyncClient, purchase: dict[str, Any]) -> str:
    url: str = (await offer(buyer, purchase))["files"][0]["url"]
    return url


async def logs(seller: httpx.AsyncClient, purchase: dict[str, Any], query: str = "") -> dict[str, Any]:
    response = await seller.get(f"{PURCHASES}{purchase['uid']}/download-logs/{query}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found

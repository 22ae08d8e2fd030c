"""The API as its clients meet it: the whole app behind ASGI, with a key, on real engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from api.app import create_app
from commands.blobs import Blobs
from commands.bus import Bus
from commands.organization import CreateKey, CreateOrganization, new_secret
from commands.settings import Settings
from commands.store import Store
from commands.work import Context
from domain.organization.organization import SCOPES
from projections.organizations import OrganizationsProjection

PRODUCTS, INVENTORY = "/api/v1/products/", "/api/v1/inventory/"


class Key(NamedTuple):
    organization: UUID
    id: UUID
    text: str


def make_key(database_url: str, name: str = "Abbey", scopes: tuple[str, ...] = SCOPES, of: UUID | None = None) -> Key:
    """Make a key, and its organization unless `of` names one."""
    store = Store(database_url, [OrganizationsProjection()], pool_size=1)
    try:
        bus, secret, organization = Bus(store), new_secret(), of or uuid7()
        context = Context(organization, "system", "test")
        if of is None:
            bus.execute(CreateOrganization(organization, name), context)
        id = uuid7()
        command = CreateKey(id=id, name="test", scopes=scopes, digest=secret.digest, prefix=secret.prefix)
        bus.execute(command, context)
    finally:
        store.close()
    return Key(organization, id, secret.text)


@asynccontextmanager
async def serving(settings: Settings, key: str | None = None, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Start an app of this process and give a client of it."""
    app = create_app(settings)
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    async with app.lifespan():
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type] # litestar's types are narrower
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers) as client:
            yield client


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def plain_settings(settings: Settings) -> Settings:
    """No rate limit, little of everything: most tests are about something else."""
    return replace(settings, rate_limit_per_minute=0, read_pool_size=2, write_pool_size=4, log_level="error")


@pytest.fixture
def key(database_url: str) -> Key:
    return make_key(database_url)


async def create(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """Create a product; return it as answered."""
    response = await client.post(PRODUCTS, json={"title": "Abbey Road", **fields})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


async def create_item(client: httpx.AsyncClient, product: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Create an inventory item of a product; return it as answered."""
    response = await client.post(INVENTORY, json={"product_uid": product["uid"], **fields})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def presences_of(product: dict[str, Any]) -> str:
    return f"{PRODUCTS}{product['uid']}/marketplace-presences/"


async def create_presence(
    client: httpx.AsyncClient, product: dict[str, Any], platform: str = "plat_ebay", **fields: Any
) -> dict[str, Any]:
    """Create a presence of a product; return it as answered."""
    response = await client.post(presences_of(product), json={"platform_uid": platform, **fields})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def end_uploads(settings: Settings) -> None:
    """End the uploads that a test left under way: a bucket with any is not empty."""
    blobs = Blobs(settings)
    with psycopg.connect(settings.database_url) as connection:
        for (blob,) in connection.execute("SELECT blob FROM asset_file").fetchall():
            blobs.discard(blob)
    blobs.close()


@pytest.fixture
async def api(plain_settings: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(plain_settings, key.text) as client:
        yield client

"""A hot page is answered before it is routed, and says exactly what its handler says."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from litestar.types import Receive, Scope, Send
from msgspec.structs import replace

from api.front import Front
from api.hot import Hot
from commands.bus import Bus
from commands.organization import RevokeKey
from commands.settings import Settings
from commands.store import Store
from commands.work import Context
from projections.organizations import OrganizationsProjection
from tests.clients import PRODUCTS, Key, create, create_presence, make_key, serving

pytestmark = pytest.mark.anyio
ID = {"X-Request-Id": "r-1"}


def hot_of(client: httpx.AsyncClient) -> Hot:
    front: Front = client._transport.app.asgi_handler  # type: ignore[attr-defined]
    assert isinstance(front._app, Hot)
    return front._app


def unrouted(client: httpx.AsyncClient) -> None:
    """Let nothing be answered but what is hot."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError(scope["path"])

    hot_of(client)._app = refuse


def said(response: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    return response.status_code, sorted(response.headers.items()), response.content


@pytest.fixture
def settings(plain_settings: Settings) -> Settings:
    return replace(plain_settings, page_cache_mib=8, log_format="json")


def requests(uid: str) -> list[tuple[str, str, Mapping[str, str]]]:
    paths = [
        *(PRODUCTS, PRODUCTS.rstrip("/"), f"{PRODUCTS}?page_size=1", f"{PRODUCTS}?search=abbey&tags=o&page=last"),
        *(f"{PRODUCTS}?cursor=&page_size=1", f"{PRODUCTS}{uid}/", f"{PRODUCTS}{uid}", f"{PRODUCTS}{uid}/?x=%20"),
    ]
    headers: list[dict[str, str]] = [{}, {"If-None-Match": '"other"'}, {"If-None-Match": "*"}, {"Host": "shop.example"}]
    return [(method, path, ID | more) for path in paths for method in ("GET", "HEAD") for more in headers]


async def test_it_answers_byte_for_byte_as_the_handler_does(settings: Settings, key: Key) -> None:
    cold = replace(settings, page_cache_mib=0)
    async with serving(settings, key.text) as warm, serving(cold, key.text) as plain:
        uid = (await create(warm, tags=["rock"]))["uid"]
        await create(warm, tags=["folk"])
        asked = requests(uid)
        for method, path, headers in asked:
            await warm.request(method, path, headers={**headers, "If-None-Match": ""})
        unrouted(warm)
        for method, path, headers in asked:
            hot = await warm.request(method, path, headers=headers)
            assert said(hot) == said(await plain.request(method, path, headers=headers)), (method, path, headers)


async def test_a_write_a_revocation_and_another_key_are_seen_at_once(settings: Settings, key: Key) -> None:
    async with serving(settings, key.text) as one, serving(settings, key.text) as other:
        product = await create(one, title="Help!")
        path = f"{PRODUCTS}{product['uid']}/"
        for version in range(5):
            assert (await one.get(path)).json()["title"] == (await one.get(path)).json()["title"]
            await other.patch(path, json={"title": f"Help {version}"})
            assert (await one.get(path)).json()["title"] == f"Help {version}"
            assert (await one.get(PRODUCTS)).json()["results"][0]["title"] == f"Help {version}"
        stranger = make_key(settings.database_url, "Zappa")
        answer = await one.get(path, headers={"Authorization": f"Bearer {stranger.text}"})
        assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')
        listed = await one.get(PRODUCTS, headers={"Authorization": f"Bearer {stranger.text}"})
        assert listed.json()["count"] == 0
        store = Store(settings.database_url, [OrganizationsProjection()], pool_size=1)
        Bus(store).execute(RevokeKey(key.id), Context(key.organization, "system", "test"))
        store.close()
        for client in (one, other):
            assert (await client.get(path)).status_code == 401


async def test_refusals_are_those_of_the_handler(settings: Settings, key: Key) -> None:
    blind = make_key(settings.database_url, scopes=("write",), of=key.organization)
    limited = replace(settings, rate_limit_per_minute=4, redis_url="amqp://127.0.0.1:1")
    async with serving(limited, key.text) as client, serving(settings, key.text) as other:
        await client.get(PRODUCTS)
        for headers, status in (
            ({"Authorization": ""}, 401),
            ({"Authorization": "Bearer nobody"}, 401),
            ({"Authorization": f"Bearer {blind.text}"}, 403),
            ({"Host": "no host"}, 400),
        ):
            assert (await client.get(PRODUCTS, headers=headers)).status_code == status
        # Each request counts once, answered hot, or not any more after a write.
        found = [(await client.get(PRODUCTS)).status_code]
        for _ in range(3):
            await create(other)
            found.append((await client.get(PRODUCTS)).status_code)
        assert found == [200, 200, 200, 429]


async def test_a_host_that_is_none_is_refused_whatever_the_public_url(settings: Settings, key: Key) -> None:
    async with serving(replace(settings, public_url="https://shop.example"), key.text) as client:
        assert [(await client.get(PRODUCTS)).status_code for _ in range(2)] == [200, 200]
        assert (await client.get(PRODUCTS, headers={"Host": "no host"})).status_code == 400


async def test_the_log_line_and_the_metrics_say_the_same(
    settings: Settings, key: Key, capfd: pytest.CaptureFixture[str]
) -> None:
    async with serving(replace(settings, log_level="info"), key.text) as client:
        path = f"{PRODUCTS}{(await create(client))['uid']}/"
        for _ in range(3):
            await client.get(path, headers=ID)
        metrics = (await client.get("/metrics")).text
    lines: list[dict[str, Any]] = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "r-1" in line]
    first, *others = [{**line, "duration_ms": 0, "timestamp": ""} for line in lines]
    assert len(others) == 2
    assert others == [first, first]
    assert 'deadwax_http_requests_total{method="GET",route="/api/v1/products/{uid}",status="200"}' in metrics


async def test_what_is_not_a_page_of_products_goes_its_way(settings: Settings, key: Key) -> None:
    async with serving(settings, key.text) as client:
        product = await create(client)
        presence = await create_presence(client, product)
        path = f"{PRODUCTS}{product['uid']}/marketplace-presences/"
        for _ in range(2):
            assert [found["id"] for found in (await client.get(path)).json()] == [presence["id"]]
            assert (await client.get(f"{PRODUCTS}nothing/")).status_code == 404
            assert (await client.get(f"{PRODUCTS}prod_{'0' * 26}/")).status_code == 404
            assert (await client.get(f"{PRODUCTS}?page=9")).status_code == 404
            assert (await client.get(f"{PRODUCTS}?type=vinyl")).status_code == 400
            assert (await client.get("/api/v1/productsx")).status_code == 404

import asyncio
import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from msgspec.structs import replace
from redis import Redis

from api.errors import Throttled
from api.limits import Limits, LocalWindow, Share
from commands.settings import Settings
from tests.clients import PRODUCTS, Key, make_key, serving

pytestmark = pytest.mark.anyio
AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture
def limited(plain_settings: Settings) -> Settings:
    return replace(plain_settings, rate_limit_per_minute=10)


async def statuses(*clients: httpx.AsyncClient, times: int) -> Counter[int]:
    answers = await asyncio.gather(*(client.get(PRODUCTS) for _ in range(times) for client in clients))
    return Counter(answer.status_code for answer in answers)


async def test_the_limit_is_exact_over_all_processes(limited: Settings, key: Key) -> None:
    async with serving(limited, key.text) as one, serving(limited, key.text) as two:
        assert await statuses(one, two, times=25) == {200: 10, 429: 40}


async def test_a_refusal_says_when_to_come_back(limited: Settings, key: Key) -> None:
    async with serving(limited, key.text) as client:
        await statuses(client, times=10)
        response = await client.get(PRODUCTS)
        wait = int(response.headers["retry-after"])
        assert 1 <= wait <= 60
        assert response.json() == {"detail": f"Request was throttled. Expected available in {wait} seconds."}
        assert (await client.post(PRODUCTS, json={"title": "x"})).status_code == 429


async def test_each_key_has_a_limit_of_its_own(limited: Settings, key: Key, database_url: str) -> None:
    other = make_key(database_url, scopes=("read",), of=key.organization)
    async with serving(limited, key.text) as client, serving(limited, other.text) as another:
        await statuses(client, times=11)
        assert (await another.get(PRODUCTS)).status_code == 200
        assert (await client.get("/healthz")).status_code == 200


async def test_requests_leave_the_window_one_by_one(limited: Settings, redis_url: str) -> None:
    limits, key = Limits(redis_url, 3), uuid4()
    with Redis.from_url(redis_url) as redis:
        now = int(redis.time()[0])
        redis.hset(f"deadwax:rate:{key.hex}", mapping={str(now - 61): 3, str(now - 50): 1, str(now - 10): 1})
    try:
        await limits.spend(key)
        with pytest.raises(Throttled) as caught:
            await limits.spend(key)
        assert 8 <= int(caught.value.headers["Retry-After"]) <= 10
    finally:
        await limits.close()


async def test_many_requests_at_once_share_a_round_trip(redis_url: str) -> None:
    limits, key = Limits(redis_url, 1000), uuid4()
    try:
        await limits.spend(key)
        with Redis.from_url(redis_url) as redis:
            before = redis.info("commandstats")["cmdstat_eval"]["calls"]
            await asyncio.gather(*(limits.spend(key) for _ in range(200)))
            after = redis.info("commandstats")["cmdstat_eval"]["calls"]
            assert after - before <= 2
            assert sum(map(int, redis.hvals(f"deadwax:rate:{key.hex}"))) == 201
    finally:
        await limits.close()


async def test_no_request_waits_for_a_redis_that_is_away(limited: Settings, key: Key) -> None:
    async with serving(replace(limited, redis_url=AWAY, rate_limit_per_minute=30), key.text) as client:
        assert (await client.post(PRODUCTS, json={"title": "x"})).status_code == 201
        started = time.perf_counter()
        for _ in range(20):
            assert (await client.post(PRODUCTS, json={"title": "x"})).status_code == 201
        assert time.perf_counter() - started < 2
        assert (await statuses(client, times=20))[429] == 11


async def test_a_redis_that_hangs_is_waited_for_once(key: Key) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = Limits(f"redis://127.0.0.1:{port}/0", 100)
    try:
        started = time.perf_counter()
        await limits.spend(key.id)
        assert time.perf_counter() - started < 1
        started = time.perf_counter()
        for _ in range(50):
            await limits.spend(key.id)
        assert time.perf_counter() - started < 0.1
    finally:
        await limits.close()
        server.close()


async def test_redis_counts_again_when_it_is_back(redis_url: str, key: Key) -> None:
    parts = urlsplit(redis_url)
    database = parse_qs(parts.query).get("db", [parts.path.removeprefix("/")])[0]
    pipes: list[asyncio.StreamWriter] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if parts.scheme == "unix":
            there, back = await asyncio.open_unix_connection(parts.path)
        else:
            there, back = await asyncio.open_connection(parts.hostname, parts.port)
        pipes.extend((writer, back))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while chunk := await source.read(65536):
                sink.write(chunk)
            sink.close()

        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    front = server.sockets[0].getsockname()[1]
    limits = Limits(f"redis://127.0.0.1:{front}/{database}", 3)
    try:
        await limits.spend(key.id)
        server.close()
        for pipe in pipes:
            pipe.close()
        for _ in range(3):
            await limits.spend(key.id)
        with pytest.raises(Throttled):
            await limits.spend(key.id)
        server = await asyncio.start_server(forward, "127.0.0.1", front)
        for _ in range(60):
            if limits._probing is None:
                break
            await asyncio.sleep(0.1)
        await limits.spend(key.id)
        await limits.spend(key.id)
        with pytest.raises(Throttled):
            await limits.spend(key.id)
    finally:
        await limits.close()
        server.close()
        for pipe in pipes:
            pipe.close()


async def test_zero_is_no_limit_and_redis_is_not_spoken_to(plain_settings: Settings, key: Key) -> None:
    async with serving(replace(plain_settings, redis_url=AWAY, rate_limit_per_minute=0), key.text) as client:
        assert client._transport.app.state.services.limits._redis is None  # type: ignore[attr-defined]
        assert await statuses(client, times=50) == {200: 50}


def test_the_local_window_slides() -> None:
    now = 1000.0
    window, key = LocalWindow(3, clock=lambda: now), uuid4()
    assert window.spend(key, 2) == Share(2, 60)
    now += 30
    assert window.spend(key, 2) == Share(1, 30)
    assert window.spend(key, 1) == Share(0, 30)
    now += 30
    assert window.spend(key, 3) == Share(2, 30)

import asyncio
import json
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
from msgspec.structs import replace
from psycopg.sql import SQL, Identifier

from commands.settings import Settings
from tests.clients import PRODUCTS, Key, create, serving

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"title": "\xff"}',
        b'{"title": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"title": "x"}',
        b'{"title": "\\ud800"}',
        b'{"price_override_usd": NaN}',
        b'{"price_override_usd": 1e400}',
        b'{"price_override_usd": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"collections":' + b'{"a":' * 64 + b"1" + b"}" * 65,
    ],
)
async def test_what_is_no_json_is_a_parse_error(api: httpx.AsyncClient, body: bytes) -> None:
    response = await api.post(PRODUCTS, content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["detail"].startswith("JSON parse error - ")


@pytest.mark.parametrize(
    ("body", "name"),
    [("[]", "list"), ('"x"', "str"), ("1", "int"), ("1.5", "float"), ("true", "bool"), ("null", "NoneType")],
)
async def test_json_that_is_no_object_says_what_it_is(api: httpx.AsyncClient, body: str, name: str) -> None:
    response = await api.post(PRODUCTS, content=body, headers=JSON)
    message = f"Invalid data. Expected a dictionary, but got {name}."
    assert (response.status_code, response.json()) == (400, {"non_field_errors": [message]})


async def test_an_empty_body_is_an_empty_object(api: httpx.AsyncClient) -> None:
    response = await api.post(PRODUCTS)
    assert (response.status_code, response.json()) == (400, {"title": ["This field is required."]})
    product = await create(api)
    unchanged = await api.patch(f"{PRODUCTS}{product['uid']}/")
    assert (unchanged.status_code, unchanged.json()) == (200, product)


async def test_a_body_without_a_media_type_is_json_and_another_one_is_refused(api: httpx.AsyncClient) -> None:
    body = b'{"title": "Abbey Road"}'
    assert (await api.post(PRODUCTS, content=body)).status_code == 201
    for accepted in ("application/json; charset=utf-8", "Application/JSON"):
        assert (await api.post(PRODUCTS, content=body, headers={"Content-Type": accepted})).status_code == 201
    for refused in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data"):
        response = await api.post(PRODUCTS, content=body, headers={"Content-Type": refused})
        assert response.status_code == 415
        assert response.json() == {"detail": f'Unsupported media type "{refused}" in request.'}


async def test_a_body_beyond_the_limit_is_refused_with_and_without_its_length(api: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    big = json.dumps({"title": "x", "marketplace_description": "x" * 1024 * 1024})
    assert (await api.post(PRODUCTS, content=big, headers=JSON)).status_code == 413
    response = await api.post(PRODUCTS, content=chunks(), headers=JSON)
    assert (response.status_code, response.json()) == (413, {"detail": "The request body is too large."})


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/v1/", "/api/v1/products/x/y/", "/api/v1/product/", "/%00", "/schema/x"]
)
async def test_a_path_that_does_not_exist_is_the_same_404(api: httpx.AsyncClient, path: str) -> None:
    response = await api.get(path)
    assert (response.status_code, response.content) == (404, b'{"detail":"Not found."}')


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (PRODUCTS, "GET, HEAD, OPTIONS, POST"),
        (f"{PRODUCTS}prod_x/", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/v1/platforms/", "GET, HEAD, OPTIONS"),
        ("/api/v1/api-keys/key_x/rotate/", "OPTIONS, POST"),
    ],
)
async def test_a_method_that_a_path_has_not_is_405_and_options_tells(
    api: httpx.AsyncClient, path: str, allowed: str
) -> None:
    for method in ("PUT", "TRACE", "BREW"):
        response = await api.request(method, path)
        assert response.status_code == 405
        assert response.headers["allow"] == allowed
        assert response.json() == {"detail": f'Method "{method}" not allowed.'}
    for address in (path, path.rstrip("/")):
        options = await api.options(address)
        assert (options.status_code, options.content, options.headers["allow"]) == (204, b"", allowed)


async def test_head_is_get_without_the_body(api: httpx.AsyncClient) -> None:
    product = await create(api)
    for path in (PRODUCTS, f"{PRODUCTS}{product['uid']}/", "/healthz", "/schema"):
        got, head = await api.get(path), await api.head(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag"):
            assert head.headers.get(name) == got.headers.get(name), (path, name)
    assert (await api.head(f"{PRODUCTS}prod_x/")).status_code == 404


async def test_an_engine_that_is_away_is_a_503_that_says_when_to_come_back(plain_settings: Settings, key: Key) -> None:
    url = urlsplit(plain_settings.database_url)
    name = Identifier(url.path.removeprefix("/"))

    def allow(connections: str) -> None:
        with psycopg.connect(urlunsplit(url._replace(path="/postgres")), autocommit=True) as admin:
            admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(name, SQL(connections)))
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.path[1:]])

    async with serving(plain_settings, key.text) as client:
        product = await create(client)
        allow("false")
        for method, path in (("GET", PRODUCTS), ("POST", PRODUCTS), ("GET", f"{PRODUCTS}{product['uid']}/")):
            response = await client.request(method, path, json={"title": "x"} if method == "POST" else None)
            assert response.status_code == 503, (method, response.text)
            assert int(response.headers["retry-after"]) > 0
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "unreachable")
        assert (await client.get("/healthz")).status_code == 200
        allow("true")
        for _ in range(100):
            if (await client.post(PRODUCTS, json={"title": "x"})).status_code == 201:
                break
            await asyncio.sleep(0.1)
        assert (await client.get(PRODUCTS)).json()["count"] == 2


async def test_what_is_unexpected_is_a_500_without_a_trace(
    plain_settings: Settings, key: Key, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = replace(plain_settings, log_format="json", log_level="error")
    async with serving(settings, key.text) as client:
        app = client._transport.app  # type: ignore[attr-defined]
        app.state.services = None
        response = await client.get(PRODUCTS, headers={"X-Request-Id": "find-me"})
    assert (response.status_code, response.json()) == (500, {"detail": "Internal server error."})
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    [line] = [line for line in lines if line.get("request_id") == "find-me"]
    assert line["error"] == "builtins.AttributeError"
    assert line["stack"]


async def test_what_is_unexpected_is_told_on_a_console_too(
    plain_settings: Settings, key: Key, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = replace(plain_settings, log_format="console", log_level="error")
    async with serving(settings, key.text) as client:
        client._transport.app.state.services = None  # type: ignore[attr-defined]
        response = await client.get(PRODUCTS)
    assert (response.status_code, response.json()) == (500, {"detail": "Internal server error."})
    said = capfd.readouterr().err
    assert "builtins.AttributeError" in said
    assert re.search(r"^/.*\.py:\d+ \w+$", said, re.MULTILINE)


async def test_every_answer_has_a_request_id_of_the_client_s_or_of_ours(api: httpx.AsyncClient) -> None:
    own = await api.get(PRODUCTS, headers={"X-Request-Id": "my id/7"})
    assert own.headers["x-request-id"] == "my id/7"
    for bad in (b"x" * 201, b"", "caf\u00e9".encode()):
        made = await api.get(PRODUCTS, headers={b"X-Request-Id": bad})
        assert len(made.headers["x-request-id"]) == 32
    assert "x-request-id" in (await api.get("/nowhere")).headers

import httpx
import pytest

from api.openapi.document import document
from commands.settings import Settings
from commands.store import Store
from domain.ids import API_KEY, uid
from domain.product.events import ProductCreated
from tests.clients import PRODUCTS, Key, create, make_key, serving

pytestmark = pytest.mark.anyio
KEYS = "/api/v1/api-keys/"
NOT_GIVEN = b'{"detail":"Authentication credentials were not provided."}'
WRONG = b'{"detail":"Invalid token."}'
FORBIDDEN = b'{"detail":"You do not have permission to perform this action."}'


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer a b"},
        {"Authorization": "Token abc"},
        {"X-API-Key": ""},
    ],
)
async def test_what_is_no_key_counts_as_none(api: httpx.AsyncClient, headers: dict[str, str]) -> None:
    del api.headers["Authorization"]
    response = await api.get(PRODUCTS, headers=headers)
    assert (response.status_code, response.content) == (401, NOT_GIVEN)
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("wrong", ["x", "dw_" + "x" * 43, "x" * 10_000, "caf\u00e9", "'--"])
async def test_a_wrong_key_is_told_so(api: httpx.AsyncClient, wrong: str) -> None:
    response = await api.get(PRODUCTS, headers={b"Authorization": f"Bearer {wrong}".encode()})
    assert (response.status_code, response.content) == (401, WRONG)
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_key_is_taken_in_both_headers_and_in_any_case_of_the_scheme(api: httpx.AsyncClient, key: Key) -> None:
    del api.headers["Authorization"]
    for headers in (
        {"Authorization": f"bearer {key.text}"},
        {"Authorization": f"BEARER  {key.text}"},
        {"X-API-Key": key.text},
        {"Authorization": "Basic abc", "X-API-Key": key.text},
    ):
        assert (await api.get(PRODUCTS, headers=headers)).status_code == 200


# Answered with addresses that parts of a file are written to.
FOR_WRITERS = {"/api/v1/products/{uid}/digital-assets/uploads/{upload_uid}/"}


def filled(path: str) -> str:
    return path.replace("{uid}", "prod_" + "0" * 26)


async def test_every_route_refuses_every_key_that_does_not_open_it(
    plain_settings: Settings, key: Key, database_url: str
) -> None:
    reader = make_key(database_url, scopes=("read",), of=key.organization)
    writer = make_key(database_url, scopes=("write",), of=key.organization)
    async with serving(plain_settings) as client:
        app = client._transport.app  # type: ignore[attr-defined]
        checked = 0
        for path, methods in document(app.routes)["paths"].items():
            for method, operation in methods.items():
                if not operation["security"]:
                    continue

                async def ask(text: str | None, method: str = method, path: str = path) -> httpx.Response:
                    headers = {"X-API-Key": text} if text else {}
                    return await client.request(method.upper(), filled(path), headers=headers)

                assert (await ask(None)).content == NOT_GIVEN, (method, path)
                assert (await ask("dw_" + "x" * 43)).content == WRONG, (method, path)
                is_read = method == "get" and path not in FOR_WRITERS
                is_admin = path.startswith(KEYS)
                refused = [writer] if is_read and not is_admin else [reader] if not is_admin else [reader, writer]
                for other in refused:
                    response = await ask(other.text)
                    assert (response.status_code, response.content) == (403, FORBIDDEN), (method, path)
                checked += 1
        assert checked >= 14


async def test_a_key_is_shown_once_and_works_until_it_is_deleted(api: httpx.AsyncClient) -> None:
    response = await api.post(KEYS, json={"name": " Scanner ", "scopes": ["write", "read", "read"]})
    assert response.status_code == 201
    made = response.json()
    assert list(made) == ["uid", "name", "scopes", "prefix", "created", "last_used_at", "key"]
    assert (made["name"], made["scopes"]) == ("Scanner", ["read", "write"])
    assert made["key"].startswith(made["prefix"])
    listed = (await api.get(KEYS)).json()
    assert listed["count"] == 2
    assert all("key" not in row for row in listed["results"])
    as_made = {"X-API-Key": made["key"], "Authorization": ""}
    assert (await api.get(PRODUCTS, headers=as_made)).status_code == 200
    assert (await api.get(KEYS, headers=as_made)).status_code == 403
    gone = await api.delete(f"{KEYS}{made['uid']}/")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get(PRODUCTS, headers=as_made)).content == WRONG
    assert (await api.delete(f"{KEYS}{made['uid']}/")).status_code == 404
    assert (await api.get(KEYS)).json()["count"] == 1


async def test_rotation_ends_the_old_key_at_once(api: httpx.AsyncClient) -> None:
    made = (await api.post(KEYS, json={"name": "Scanner"})).json()
    rotated = await api.post(f"{KEYS}{made['uid']}/rotate/")
    assert rotated.status_code == 200
    assert {**rotated.json(), "key": None, "prefix": None} == {**made, "key": None, "prefix": None}
    for text, status in ((made["key"], 401), (rotated.json()["key"], 200)):
        assert (await api.get(PRODUCTS, headers={"Authorization": f"Bearer {text}"})).status_code == status


async def test_a_repeated_request_for_a_key_does_not_show_it_again(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await api.post(KEYS, json={"name": "Scanner"}, headers=headers)
    again = await api.post(KEYS, json={"name": "Scanner"}, headers=headers)
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == {**first.json(), "key": None}
    assert (await api.get(KEYS)).json()["count"] == 2


async def test_what_a_key_may_be_is_checked(api: httpx.AsyncClient) -> None:
    response = await api.post(KEYS, json={"scopes": ["read", "root"]})
    assert (response.status_code, response.json()) == (
        400,
        {"name": ["This field is required."], "scopes": {"1": ['"root" is not a valid choice.']}},
    )
    empty = await api.post(KEYS, json={"name": "x", "scopes": []})
    assert empty.json() == {"scopes": ["This list may not be empty."]}


async def test_keys_of_another_organization_are_not_there(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str
) -> None:
    made = (await api.post(KEYS, json={"name": "Scanner"})).json()
    stranger = make_key(database_url, "Stranger")
    async with serving(plain_settings, stranger.text) as other:
        assert (await other.delete(f"{KEYS}{made['uid']}/")).status_code == 404
        assert (await other.post(f"{KEYS}{made['uid']}/rotate/")).status_code == 404
        assert (await other.get(KEYS)).json()["count"] == 1
    assert (await api.get(PRODUCTS, headers={"Authorization": f"Bearer {made['key']}"})).status_code == 200


async def test_the_use_of_a_key_is_noted(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as client:
        assert (await client.get(KEYS)).json()["results"][0]["last_used_at"] is None
    async with serving(plain_settings, key.text) as client:
        assert (await client.get(KEYS)).json()["results"][0]["last_used_at"] is not None


async def test_the_actor_of_an_event_is_the_key_and_its_correlation_is_the_request(
    plain_settings: Settings, key: Key
) -> None:
    async with serving(plain_settings, key.text, **{"X-Request-Id": "request-7"}) as client:
        await create(client)
    store = Store(plain_settings.database_url, pool_size=1)
    try:
        [event] = [event for _, event in store.notifications(1, 100) if isinstance(event, ProductCreated)]
    finally:
        store.close()
    assert event.correlation_id == "request-7"
    assert event.actor == uid(API_KEY, key.id)
    assert event.organization == key.organization

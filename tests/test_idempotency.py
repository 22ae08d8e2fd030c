import asyncio
from typing import Any

import httpx
import pytest

from api.idempotency import fingerprint
from commands.settings import Settings
from tests.clients import PRODUCTS, Key, create, make_key, serving

pytestmark = pytest.mark.anyio
BODY = {"title": "Abbey Road", "type": "physical", "artist_name": "The Beatles", "price_override_usd": 30}
ONE = {"Idempotency-Key": "order 1"}


async def test_a_repeat_gives_back_the_first_answer(api: httpx.AsyncClient) -> None:
    first = await api.post(PRODUCTS, json=BODY, headers=ONE)
    assert first.status_code == 201
    assert "idempotent-replayed" not in first.headers
    await api.patch(f"{PRODUCTS}{first.json()['uid']}/", json={"title": "Changed"})
    again = await api.post(PRODUCTS.rstrip("/"), json=dict(reversed(BODY.items())), headers=ONE)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert (await api.get(PRODUCTS)).json()["count"] == 1


async def test_another_body_is_refused(api: httpx.AsyncClient) -> None:
    await api.post(PRODUCTS, json=BODY, headers=ONE)
    response = await api.post(PRODUCTS, json={**BODY, "title": "Other"}, headers=ONE)
    assert response.status_code == 422
    assert list(response.json()) == ["detail"]
    other_path = await api.post("/api/v1/api-keys/", json={"name": "x"}, headers=ONE)
    assert other_path.status_code == 422
    assert (await api.get(PRODUCTS)).json()["count"] == 1


async def test_a_refused_request_binds_nothing(api: httpx.AsyncClient) -> None:
    assert (await api.post(PRODUCTS, json={"title": ""}, headers=ONE)).status_code == 400
    assert (await api.post(PRODUCTS, json=BODY, headers=ONE)).status_code == 201


async def test_keys_are_an_organization_s_own(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str
) -> None:
    await api.post(PRODUCTS, json=BODY, headers=ONE)
    stranger = make_key(database_url, "Stranger")
    async with serving(plain_settings, stranger.text) as other:
        response = await other.post(PRODUCTS, json=BODY, headers=ONE)
        assert "idempotent-replayed" not in response.headers
        assert (await other.get(PRODUCTS)).json()["count"] == 1


@pytest.mark.parametrize("wrong", ["", "x" * 256, "caf\u00e9", "a\tb"])
async def test_a_key_is_255_printable_characters_at_most(api: httpx.AsyncClient, wrong: str) -> None:
    response = await api.post(PRODUCTS, json=BODY, headers={b"Idempotency-Key": wrong.encode()})
    assert response.status_code == 400
    assert response.json() == {"detail": "Idempotency-Key: expected 1 to 255 printable ASCII characters."}
    assert (await api.post(PRODUCTS, json=BODY, headers={"Idempotency-Key": "~" * 255})).status_code == 201


async def test_fifty_parallel_twins_on_two_processes_make_one_product(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        twins = [client.post(PRODUCTS, json=BODY, headers=ONE) for _ in range(25) for client in (one, two)]
        answers = await asyncio.gather(*twins)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
        listed = (await two.get(PRODUCTS)).json()
        assert listed["results"] == [answers[0].json()]


async def test_parallel_requests_make_one_artist(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        made = await asyncio.gather(
            *(
                create(client, artist_name=name)
                for name in ("Prince", "PRINCE", " prince ")
                for client in (one, two) * 5
            )
        )
    assert len({product["artist"]["uid"] for product in made}) == 1
    assert len({product["artist"]["name"] for product in made}) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": [1.0, {"c": 2}]}, {"b": [1, {"c": 2.0}], "a": 1.0}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
    ],
)
def test_bodies_are_compared_by_value(one: Any, other: Any, same: bool) -> None:
    assert (fingerprint("POST", "/x", one) == fingerprint("POST", "/x", other)) is same
    assert fingerprint("POST", "/x", one) != fingerprint("POST", "/y", one)

"""Requests about items: tags, repeats, scopes, methods, whose they are."""

import asyncio
from typing import Any

import httpx
import pytest

from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, Key, create, create_item, make_key, serving
from tests.copies import MISSING, at, listed

pytestmark = pytest.mark.anyio

ONE = {"Idempotency-Key": "copy 1"}


@pytest.fixture
async def product(api: httpx.AsyncClient) -> dict[str, Any]:
    return await create(api, type="physical", artist_name="The Beatles", catalog_number="PCS 7088")


async def test_an_item_of_another_organization_and_none_look_the_same(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str, product: dict[str, Any]
) -> None:
    made = await create_item(api, product)
    stranger = make_key(database_url, "Stranger")
    async with serving(plain_settings, stranger.text) as other:
        for uid in (made["uid"], "inv_" + "0" * 26, "inv_", "0", "%00", product["uid"], "prod_" + made["uid"][4:]):
            for method in ("GET", "PATCH", "DELETE"):
                bodies: tuple[Any, ...] = ({"status": 1}, [], None) if method == "PATCH" else (None,)
                for said in bodies:
                    response = await other.request(method, f"{INVENTORY}{uid}/", json=said)
                    assert (response.status_code, response.content) == MISSING, (method, uid)
            assert (await other.patch(f"{INVENTORY}{uid}/", content="{")).content == MISSING[1]
        assert (await other.get(INVENTORY)).json() == {"count": 0, "next": None, "previous": None, "results": []}
    assert (await api.get(at(made))).json() == made


async def test_tags_move_with_every_write_and_stale_writes_are_refused(
    api: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    made = await create_item(api, product)
    product_path = f"{PRODUCTS}{product['uid']}/"
    tags = {path: (await api.get(path)).headers["etag"] for path in (at(made), INVENTORY, product_path, PRODUCTS)}
    for path, tag in tags.items():
        same = await api.get(path, headers={"If-None-Match": f"W/{tag}"})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    changed = await api.patch(at(made), json={"status": "listed"}, headers={"If-Match": tags[at(made)]})
    assert changed.status_code == 200, changed.text
    for path, tag in tags.items():
        assert (await api.get(path, headers={"If-None-Match": tag})).status_code == 200, path
    assert (await api.get(at(made))).headers["etag"] == changed.headers["etag"]
    for path in (at(made), product_path):
        for method in ("PATCH", "DELETE"):
            stale = await api.request(method, path, headers={"If-Match": tags[path]})
            assert (stale.status_code, list(stale.json())) == (412, ["detail"]), (method, path)
    await api.patch(product_path, json={"title": "Renamed"})
    stale = await api.patch(at(made), json={}, headers={"If-Match": changed.headers["etag"]})
    assert stale.status_code == 412
    tag = (await api.get(at(made))).headers["etag"]
    # That it grew older in the meantime is nobody's write.
    older = f'{tag.rpartition("+")[0]}+3"'
    assert (await api.get(at(made), headers={"If-None-Match": older})).status_code == 200
    assert (await api.delete(at(made), headers={"If-Match": older})).status_code == 204
    assert (await api.delete(at(made), headers={"If-Match": "*"})).status_code == 404


async def test_of_parallel_writes_on_one_tag_one_goes_through(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        made = await create_item(one, await create(one))
        tag = (await one.get(at(made))).headers["etag"]
        answers = await asyncio.gather(
            *(
                client.patch(at(made), json={"name": f"{number}"}, headers={"If-Match": tag})
                for number, client in enumerate((one, two) * 8)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 15
        [winner] = [answer.json() for answer in answers if answer.status_code == 200]
        assert (await two.get(at(made))).json() == winner


async def test_a_repeat_gives_back_the_first_answer(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    body = {"product_uid": product["uid"], "price_total_usd": 5}
    first = await api.post(INVENTORY, json=body, headers=ONE)
    await api.patch(first.headers["location"], json={"name": "Changed"})
    repeated = await api.post(INVENTORY, json={**body, "price_total_usd": 5.0}, headers=ONE)
    assert (repeated.status_code, repeated.content) == (201, first.content)
    assert repeated.headers["idempotent-replayed"] == "true"
    for name in ("etag", "location"):
        assert repeated.headers[name] == first.headers[name]
    other = await api.post(INVENTORY, json={**body, "name": "x"}, headers=ONE)
    assert (other.status_code, list(other.json())) == (422, ["detail"])
    assert len(await listed(api)) == 1
    await api.delete(f"{PRODUCTS}{product['uid']}/")
    assert (await api.post(INVENTORY, json=body, headers=ONE)).content == first.content


async def test_parallel_twins_make_one_item(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        product = await create(one)
        body = {"product_uid": product["uid"]}
        answers = await asyncio.gather(*(c.post(INVENTORY, json=body, headers=ONE) for c in (one, two) * 10))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert len(await listed(two)) == 1


async def test_a_refused_request_binds_nothing(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    assert (await api.post(INVENTORY, json={"product_uid": "x"}, headers=ONE)).status_code == 400
    made = await api.post(INVENTORY, json={"product_uid": product["uid"]}, headers=ONE)
    assert made.status_code == 201


async def test_paths_without_their_slash_methods_and_options(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    made = await create_item(api, product)
    for path, allowed in (
        (INVENTORY, "GET, HEAD, OPTIONS, POST"),
        (at(made), "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ):
        assert (await api.get(path.rstrip("/"))).content == (await api.get(path)).content
        head = await api.head(path)
        assert (head.status_code, head.content) == (200, b"")
        refused = await api.request("PUT", path)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        options = await api.options(path)
        assert (options.status_code, options.headers["allow"]) == (204, allowed)


async def test_scopes_are_asked_for(
    api: httpx.AsyncClient, plain_settings: Settings, key: Key, product: dict[str, Any]
) -> None:
    made = await create_item(api, product)
    for scope, refused in (("read", ("POST", "PATCH", "DELETE")), ("write", ("GET",))):
        limited = make_key(plain_settings.database_url, scopes=(scope,), of=key.organization)
        async with serving(plain_settings, limited.text) as client:
            for method in refused:
                response = await client.request(method, INVENTORY if method == "POST" else at(made))
                assert response.status_code == 403, (scope, method)
    async with serving(plain_settings) as client:
        assert (await client.get(INVENTORY)).status_code == 401

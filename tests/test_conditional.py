import asyncio
from collections import Counter

import httpx
import pytest

from commands.settings import Settings
from tests.clients import PRODUCTS, Key, create, serving

pytestmark = pytest.mark.anyio


async def tagged(api: httpx.AsyncClient) -> tuple[str, str]:
    product = await create(api)
    path = f"{PRODUCTS}{product['uid']}/"
    return path, (await api.get(path)).headers["etag"]


async def test_what_a_client_has_is_not_sent_again(api: httpx.AsyncClient) -> None:
    path, tag = await tagged(api)
    for given in (tag, f"W/{tag}", f'"other", W/{tag}', "*"):
        for method in ("GET", "HEAD"):
            response = await api.request(method, path, headers={"If-None-Match": given})
            assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    for given in ('"other"', tag.strip('"'), ""):
        assert (await api.get(path, headers={"If-None-Match": given})).status_code == 200


async def test_a_tag_changes_with_the_product_and_with_nothing_else(api: httpx.AsyncClient) -> None:
    path, tag = await tagged(api)
    await create(api)
    assert (await api.get(path)).headers["etag"] == tag
    unchanged = await api.patch(path, json={"title": "Abbey Road"})
    assert unchanged.headers["etag"] == tag
    changed = await api.patch(path, json={"title": "Help!"})
    assert changed.headers["etag"] != tag
    assert (await api.get(path, headers={"If-None-Match": tag})).status_code == 200
    assert (await api.get(path)).headers["etag"] == changed.headers["etag"]


async def test_a_stale_write_is_refused(api: httpx.AsyncClient) -> None:
    path, tag = await tagged(api)
    assert (await api.patch(path, json={"title": "Help!"}, headers={"If-Match": tag})).status_code == 200
    for method in ("PATCH", "DELETE"):
        stale = await api.request(method, path, headers={"If-Match": tag})
        assert (stale.status_code, list(stale.json())) == (412, ["detail"])
    for given in (f"W/{tag}", '"x"', "nonsense"):
        assert (await api.patch(path, json={}, headers={"If-Match": given})).status_code == 412
    current = (await api.get(path)).headers["etag"]
    assert (await api.patch(path, json={"year": "1965"}, headers={"If-Match": f'"x", {current}'})).status_code == 200
    assert (await api.get(path)).json()["title"] == "Help!"
    assert (await api.delete(path, headers={"If-Match": "*"})).status_code == 204
    assert (await api.delete(path, headers={"If-Match": "*"})).status_code == 404


async def test_the_last_write_wins_without_if_match(api: httpx.AsyncClient) -> None:
    path, _ = await tagged(api)
    await api.patch(path, json={"year": "1969"})
    await api.patch(path, json={"title": "Help!"})
    product = (await api.get(path)).json()
    assert (product["title"], product["year"]) == ("Help!", "1969")


async def test_a_list_has_a_tag_of_its_own_that_every_write_moves(api: httpx.AsyncClient) -> None:
    product = await create(api)
    tag = (await api.get(PRODUCTS)).headers["etag"]
    assert (await api.get(PRODUCTS, headers={"If-None-Match": f"W/{tag}"})).status_code == 304
    assert (await api.get(f"{PRODUCTS}?page_size=5", headers={"If-None-Match": tag})).status_code == 200
    for write in (
        api.post(PRODUCTS, json={"title": "Help!"}),
        api.patch(f"{PRODUCTS}{product['uid']}/", json={"title": "Changed"}),
        api.delete(f"{PRODUCTS}{product['uid']}/"),
    ):
        await write
        fresh = await api.get(PRODUCTS, headers={"If-None-Match": tag})
        assert fresh.status_code == 200
        tag = fresh.headers["etag"]


async def test_of_fifty_writes_on_one_tag_one_goes_through(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        path, tag = await tagged(one)
        writes = [
            client.patch(path, json={"title": f"{name} {number}"}, headers={"If-Match": tag})
            for number in range(25)
            for name, client in (("one", one), ("two", two))
        ]
        answers = await asyncio.gather(*writes)
        assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 49}
        [winner] = [answer for answer in answers if answer.status_code == 200]
        assert (await two.get(path)).json()["title"] == winner.json()["title"]


async def test_fifty_parallel_writes_without_a_tag_all_go_through(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        path, _ = await tagged(one)
        writes = [client.patch(path, json={"title": str(n)}) for n in range(25) for client in (one, two)]
        assert {answer.status_code for answer in await asyncio.gather(*writes)} <= {200, 503}


async def test_a_read_on_one_process_sees_what_the_other_has_answered(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        for number in range(20):
            product = await create(one, title=str(number))
            assert (await two.get(f"{PRODUCTS}{product['uid']}/")).json() == product
            assert (await two.get(PRODUCTS)).json()["count"] == number + 1


@pytest.mark.parametrize("name", ["products", "inventory", "imports", "api-keys", "platforms", "choices"])
async def test_every_list_has_a_tag(api: httpx.AsyncClient, name: str) -> None:
    first = await api.get(f"/api/v1/{name}/")
    again = await api.get(f"/api/v1/{name}/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])

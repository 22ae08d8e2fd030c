from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from commands.settings import Settings
from domain.ids import API_KEY, uid
from tests.clients import (
    INVENTORY,
    PRODUCTS,
    Key,
    create,
    create_item,
    create_presence,
    make_key,
    presences_of,
    serving,
)

pytestmark = pytest.mark.anyio

GONE = (404, {"detail": "Not found."})


def told(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


@pytest.fixture
async def reader(plain_settings: Settings, key: Key, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same organization whose key may only read."""
    only = make_key(database_url, scopes=("read",), of=key.organization)
    async with serving(plain_settings, only.text) as client:
        yield client


async def history(api: httpx.AsyncClient, path: str, query: str = "") -> list[dict[str, Any]]:
    response = await api.get(f"{path}history/{query}")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["results"]
    return found


async def test_a_products_history_says_who_changed_what_from_and_to(api: httpx.AsyncClient, key: Key) -> None:
    product = await create(api, artist_name="The Beatles", tags=["rock"], price_override_usd="29.9")
    path = f"{PRODUCTS}{product['uid']}/"
    change = {"title": "Abbey Road (Remastered)", "artist_name": None, "price_override_usd": "34.99"}
    await api.patch(path, json=change, headers={"X-Request-Id": "change-1"})
    priced, revised, created = await history(api, path)
    assert revised == {
        "position": revised["position"],
        "event": "product.revised",
        "event_display": "Product revised",
        "version": 1,
        "object": {"type": "product", "uid": product["uid"]},
        "object_version": 2,
        "time": revised["time"],
        "actor": {"uid": uid(API_KEY, key.id), "name": "test"},
        "request_id": "change-1",
        "changes": {
            "title": {"from": "Abbey Road", "to": "Abbey Road (Remastered)"},
            "artist": {"from": product["artist"], "to": None},
        },
    }
    assert priced["event_display"] == "Product price overridden"
    assert priced["changes"] == {"price_override_usd": {"from": "29.90", "to": "34.99"}}
    assert created["position"] < revised["position"] < priced["position"]
    assert created["changes"]["title"] == {"from": None, "to": "Abbey Road"}
    assert created["changes"]["tags"] == {"from": None, "to": ["rock"]}
    assert created["time"] == product["created"]
    assert "sku" not in created["changes"]


async def test_pages_of_a_history_are_those_of_other_lists(api: httpx.AsyncClient) -> None:
    product = await create(api)
    path = f"{PRODUCTS}{product['uid']}/"
    for number in range(20):
        await api.patch(path, json={"title": f"Take {number}"})
    first = (await api.get(f"{path}history/")).json()
    assert (first["count"], first["previous"], len(first["results"])) == (21, None, 15)
    second = (await api.get(first["next"])).json()
    assert (second["next"], len(second["results"])) == (None, 6)
    assert second["previous"] == f"http://testserver{path}history/"
    titles = [entry["changes"]["title"]["to"] for entry in first["results"] + second["results"]]
    assert titles == [*(f"Take {number}" for number in reversed(range(20))), "Abbey Road"]
    assert (await api.get(f"{path}history/?page=3")).json() == {"detail": "Invalid page."}
    last = (await api.get(f"{path}history/?page=last&page_size=4")).json()["results"]
    assert [entry["object_version"] for entry in last] == [1]
    tag = (await api.get(f"{path}history/")).headers["etag"]
    assert (await api.get(f"{path}history/", headers={"If-None-Match": tag})).status_code == 304


async def test_items_and_presences_have_histories_of_their_own_and_in_their_products(api: httpx.AsyncClient) -> None:
    product = await create(api)
    item = await create_item(api, product, price_total_usd="10")
    presence = await create_presence(api, product, listing_price="12.50")
    own, item_path = f"{PRODUCTS}{product['uid']}/", f"{INVENTORY}{item['uid']}/"
    presence_path = f"{presences_of(product)}{presence['id']}/"
    await api.patch(item_path, json={"status": "sold"})
    await api.patch(presence_path, json={"listing_price": "13"})
    sold, arrived = await history(api, item_path)
    assert sold["changes"] == {"status": {"from": "received", "to": "sold"}}
    assert arrived["changes"]["product_uid"]["to"] == product["uid"]
    assert arrived["changes"]["price_total_usd"]["to"] == "10.00"
    repriced, listed = await history(api, presence_path)
    assert repriced["changes"]["listing_price_usd"] == {"from": "12.50", "to": "13.00"}
    assert listed["changes"]["id"]["to"] == presence["id"]
    everything = await history(api, own, "?include=children")
    assert [entry["event"] for entry in everything] == [
        "presence.repriced",
        "inventory.revised",
        "presence.created",
        "inventory.created",
        "product.created",
    ]
    assert len(await history(api, own)) == 1
    wrong = await api.get(f"{own}history/?include=parents")
    assert told(wrong) == (400, {"include": ['"parents" is not a valid choice.']})


async def test_what_is_deleted_keeps_its_history_and_its_past_for_administrators(
    api: httpx.AsyncClient, reader: httpx.AsyncClient
) -> None:
    product = await create(api)
    item = await create_item(api, product)
    presence = await create_presence(api, product)
    paths = [f"{PRODUCTS}{product['uid']}/", f"{INVENTORY}{item['uid']}/", f"{presences_of(product)}{presence['id']}/"]
    before = [(await api.get(path)).json() for path in paths]
    position = (await history(api, paths[0], "?include=children"))[0]["position"]
    for path in paths:
        assert (await reader.get(f"{path}history/")).status_code == 200
        assert (await reader.get(f"{path}?as_of={position}")).status_code == 200
    await api.delete(paths[0])
    for path, shown in zip(paths, before, strict=True):
        assert told(await api.get(path)) == GONE
        assert told(await reader.get(f"{path}history/")) == GONE
        assert told(await reader.get(f"{path}?as_of={position}")) == GONE
        assert (await history(api, path))[0]["event"].endswith(".deleted")
        assert told(await api.get(f"{path}?as_of={position}")) == (200, shown)
    deleted = (await history(api, paths[0]))[0]["position"]
    assert told(await api.get(f"{paths[0]}?as_of={deleted}")) == GONE
    assert (await api.get(f"{PRODUCTS}?as_of={position}")).json()["count"] == 1
    assert (await reader.get(f"{PRODUCTS}?as_of={position}")).json()["count"] == 0


async def test_what_is_another_organizations_is_not_there(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str
) -> None:
    product = await create(api)
    item = await create_item(api, product)
    presence = await create_presence(api, product)
    position = (await history(api, f"{PRODUCTS}{product['uid']}/", "?include=children"))[0]["position"]
    async with serving(plain_settings, make_key(database_url, name="Other").text) as other:
        for path in (
            f"{PRODUCTS}{product['uid']}/",
            f"{INVENTORY}{item['uid']}/",
            f"{presences_of(product)}{presence['id']}/",
            f"{PRODUCTS}prod_junk/",
            f"{INVENTORY}{product['uid']}/",
            f"{presences_of(product)}x/",
        ):
            for query in ("history/", "history/?include=", f"?as_of={position}"):
                assert told(await other.get(f"{path}{query}")) == GONE, path
        assert (await other.get(f"{PRODUCTS}?as_of={position}")).json()["count"] == 0


async def test_as_of_shows_what_was_answered_then(api: httpx.AsyncClient) -> None:
    start = await create(api, title="First")
    before = int((await history(api, f"{PRODUCTS}{start['uid']}/"))[0]["position"])
    product = await create(api)
    path = f"{PRODUCTS}{product['uid']}/"
    item = await create_item(api, product, price_total_usd="10")
    then = (await api.get(path)).json()
    listed = (await api.get(PRODUCTS)).json()["results"]
    moments = [
        str((await history(api, f"{INVENTORY}{item['uid']}/"))[0]["position"]),
        item["created"],
        item["created"].replace("Z", "+00:00"),
    ]
    await api.patch(path, json={"title": "Changed"})
    await api.delete(f"{INVENTORY}{item['uid']}/")
    for moment in moments:
        assert (await api.get(f"{path}?as_of={moment}")).json() == then
        assert (await api.get(f"{INVENTORY}{item['uid']}/?as_of={moment}")).json() == item
        assert (await api.get(f"{PRODUCTS}?as_of={moment}")).json()["results"] == listed
        oldest = (await api.get(f"{PRODUCTS}?as_of={moment}&ordering=created&page_size=1&page=2")).json()
        assert (oldest["count"], oldest["next"], oldest["results"]) == (2, None, [then])
    assert told(await api.get(f"{path}?as_of={before}")) == GONE
    assert told(await api.get(f"{path}?as_of=2001-01-01")) == GONE
    assert (await api.get(f"{PRODUCTS}?as_of=2001-01-01")).json()["results"] == []
    assert (await api.get(f"{PRODUCTS}?as_of={before}&page=2")).status_code == 404


async def test_an_answer_as_of_then_has_a_tag_that_nothing_is_written_on(api: httpx.AsyncClient) -> None:
    product = await create(api)
    path = f"{PRODUCTS}{product['uid']}/"
    now = await api.get(path)
    then = await api.get(f"{path}?as_of={product['updated']}")
    assert then.json() == now.json()
    tag = then.headers["etag"]
    assert tag.startswith('"as-of-')
    assert tag != now.headers["etag"]
    assert then.headers["cache-control"] == "private, no-cache"
    again = await api.get(f"{path}?as_of={product['updated']}", headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["etag"]) == (304, tag)
    refused = await api.patch(path, json={"title": "x"}, headers={"If-Match": tag})
    assert refused.status_code == 412
    await api.patch(path, json={"title": "Changed"})
    assert (await api.get(f"{path}?as_of={product['updated']}")).json()["title"] == "Abbey Road"
    assert (await api.get(path)).json()["title"] == "Changed"


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        ("yesterday", "Enter a time such as 2026-01-31T12:00:00Z, or a position of the log."),
        ("2026-13-01T00:00:00Z", "Enter a time such as 2026-01-31T12:00:00Z, or a position of the log."),
        ("2026-01-01T00:00:00", "Enter a time such as 2026-01-31T12:00:00Z, or a position of the log."),
        ("0001-01-01T00:00:00%2B23:59", "Enter a time such as 2026-01-31T12:00:00Z, or a position of the log."),
        ("-1", "Enter a time such as 2026-01-31T12:00:00Z, or a position of the log."),
        ("1" * 40, "Enter a time such as 2026-01-31T12:00:00Z, or a position of the log."),
        ("999999999999999999", "This moment has not come yet."),
        ("9999-12-31T23:59:59Z", "This moment has not come yet."),
    ],
)
async def test_a_moment_that_is_none_or_has_not_come_is_refused(
    api: httpx.AsyncClient, moment: str, message: str
) -> None:
    product = await create(api)
    for path in (PRODUCTS, f"{PRODUCTS}{product['uid']}/"):
        assert told(await api.get(f"{path}?as_of={moment}")) == (400, {"as_of": [message]})


async def test_the_list_as_of_then_takes_pages_and_the_order_of_creation_alone(api: httpx.AsyncClient) -> None:
    await create(api)
    refused = await api.get(f"{PRODUCTS}?as_of=1&search=x&cursor=&ordering=title&tags=rock&status=listed")
    assert refused.status_code == 400
    assert refused.json().keys() == {"search", "cursor", "ordering", "tags", "status"}
    assert refused.json()["search"] == ["Not supported together with as_of."]
    plain = await api.get(f"{PRODUCTS}?as_of=1&ordering=unknown&search=")
    assert told(plain)[0] == 200, plain.text

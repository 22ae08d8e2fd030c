import json
from typing import Any

import httpx
import psycopg
import pytest

from commands.settings import Settings
from domain.event import own_fields
from domain.ids import API_KEY, ORGANIZATION, uid
from domain.vocabulary import EVENTS, noun
from projections.terms import EVENT_NAMES, NOUNS
from tests.clients import PRODUCTS, Key, create, create_item, make_key, serving

pytestmark = pytest.mark.anyio

AUDIT = "/api/v1/audit/events/"
KEYS = "/api/v1/api-keys/"


async def listed(api: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    response = await api.get(f"{AUDIT}?{query}")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["results"]
    return found


async def names(api: httpx.AsyncClient, query: str = "") -> list[str]:
    return [event["event"] for event in await listed(api, query)]


def test_every_field_of_every_event_is_shown_under_a_name_or_hidden() -> None:
    for topic, event in EVENTS.items():
        known = NOUNS[noun(topic)]
        assert set(own_fields(event)) <= known.fields.keys() | known.hidden, topic
    assert not NOUNS["api-key"].fields.keys() & {"digest"}
    assert EVENT_NAMES["inventory.photo-added"] == "Inventory item photo added"


async def test_the_feed_tells_everything_newest_first(api: httpx.AsyncClient, key: Key) -> None:
    product = await create(api, artist_name="Björk", price_override_usd="5")
    created, artist, own_key, organization = await listed(api)
    assert created == {
        "position": created["position"],
        "event": "product.created",
        "event_display": "Product created",
        "version": 1,
        "object": {"type": "product", "uid": product["uid"]},
        "object_version": 1,
        "time": product["created"],
        "actor": {"uid": uid(API_KEY, key.id), "name": "test"},
        "request_id": created["request_id"],
        "data": created["data"],
    }
    assert created["data"]["artist"] == product["artist"]
    assert created["data"]["price_override_usd"] == "5.00"
    assert (artist["event"], artist["data"]) == ("artist.created", {"name": "Björk"})
    assert own_key["data"] == {"name": "test", "scopes": ["read", "write", "admin"], "prefix": key.text[:8]}
    assert own_key["actor"] == {"uid": None, "name": "system"}
    assert organization["object"] == {"type": "organization", "uid": uid(ORGANIZATION, key.organization)}


async def test_nothing_in_the_feed_opens_a_door(api: httpx.AsyncClient, database_url: str) -> None:
    made = (await api.post(KEYS, json={"name": "Scanner", "scopes": ["read"]})).json()
    await api.post(f"{KEYS}{made['uid']}/rotate/")
    text = (await api.get(AUDIT)).text + (await api.get(f"{AUDIT}export/")).text
    with psycopg.connect(database_url) as connection:
        digests = [row[0].hex() for row in connection.execute("SELECT digest FROM api_key")]
    assert len(digests) == 2
    for secret in (*digests, made["key"], "digest"):
        assert secret not in text


async def test_filters_find_what_was_done_when_by_whom_to_what(
    api: httpx.AsyncClient, plain_settings: Settings, key: Key, database_url: str
) -> None:
    scanner = make_key(database_url, of=key.organization)
    product = await create(api)
    item = await create_item(api, product)
    async with serving(plain_settings, scanner.text) as client:
        await client.patch(f"{PRODUCTS}{product['uid']}/", json={"title": "x"}, headers={"X-Request-Id": "r 1"})
    assert await names(api, f"actor={uid(API_KEY, scanner.id)}") == ["product.revised"]
    assert set(await names(api, "actor=system")) == {"api-key.created", "organization.created"}
    assert await names(api, f"object={product['uid']}") == ["product.revised", "product.created"]
    assert await names(api, f"object={item['uid']}&order=asc") == ["inventory.created"]
    assert await names(api, f"object={uid(API_KEY, scanner.id)}") == ["api-key.created"]
    assert await names(api, "request_id=r+1") == ["product.revised"]
    assert await names(api, "event=product.revised,inventory.created") == ["product.revised", "inventory.created"]
    assert await names(api, "event=product.created.v1") == ["product.created"]
    assert await names(api, f"after={product['created']}") == ["product.revised", "inventory.created"]
    assert await names(api, f"after={product['created']}&before={item['created'].replace('Z', '+00:00')}") == []
    before = await names(api, f"before={item['created']}&order=asc")
    assert before[-1] == "product.created"
    assert await names(api, f"object={item['uid']}&actor=system") == []


async def test_a_walk_meets_every_event_once_though_more_come(api: httpx.AsyncClient) -> None:
    for number in range(5):
        await create(api, title=str(number))
    whole = [event["position"] for event in await listed(api, "order=asc")]
    for order in ("asc", "desc"):
        url: str | None = f"{AUDIT}?order={order}&page_size=2"
        met = []
        while url is not None:
            page = (await api.get(url)).json()
            assert page.keys() == {"next", "previous", "results"}
            assert page["previous"] is None
            met += [event["position"] for event in page["results"]]
            url = page["next"]
            if order == "desc":
                await create(api)
        assert met == (whole if order == "asc" else sorted(met, reverse=True))
        assert set(whole) <= set(met)
    next_page = (await api.get(f"{AUDIT}?page_size=1")).json()["next"]
    for wrong in (next_page.replace("page_size=1", "actor=system"), f"{AUDIT}?cursor=junk", f"{AUDIT}?cursor=%00"):
        assert (await api.get(wrong)).json() == {"detail": "Invalid cursor."}


async def test_the_export_is_the_feed_line_by_line(api: httpx.AsyncClient) -> None:
    for number in range(4):
        await create(api, title=str(number))
    response = await api.get(f"{AUDIT}export/?order=asc")
    assert response.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    assert [json.loads(line) for line in response.text.splitlines()] == await listed(api, "order=asc")
    some = await api.get(f"{AUDIT}export/?event=product.created&cursor=junk")
    assert [json.loads(line)["data"]["title"] for line in some.text.splitlines()] == ["3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("after=junk&before=1", {"after", "before"}),
        ("event=product.exploded&object=x", {"event", "object"}),
        ("order=up", {"order"}),
        ("order=asc,desc", {"order"}),
        ("actor=%00", {"actor"}),
        ("last_event_id=x", set()),
    ],
)
async def test_wrong_filters_are_named(api: httpx.AsyncClient, query: str, errors: set[str]) -> None:
    for path in (AUDIT, f"{AUDIT}export/"):
        response = await api.get(f"{path}?{query}")
        assert response.status_code == (400 if errors else 200)
        assert not errors or response.json().keys() == errors


async def test_the_feed_is_an_administrators_and_of_their_organization_alone(
    api: httpx.AsyncClient, plain_settings: Settings, key: Key, database_url: str
) -> None:
    product = await create(api)
    paths = (AUDIT, f"{AUDIT}export/", f"{AUDIT}stream/")
    async with serving(
        plain_settings, make_key(database_url, scopes=("read", "write"), of=key.organization).text
    ) as few:
        for path in paths:
            assert (await few.get(path)).status_code == 403
    async with serving(plain_settings, make_key(database_url, name="Other").text) as other:
        assert await names(other) == ["api-key.created", "organization.created"]
        assert await names(other, f"object={product['uid']}") == []
        assert (await other.get(f"{AUDIT}export/?event=product.created")).text == ""


async def test_the_index_is_made_again_from_the_log(api: httpx.AsyncClient, database_url: str) -> None:
    product = await create(api)
    await create_item(api, product)
    with psycopg.connect(database_url) as connection:
        before = connection.execute("SELECT * FROM audit_event ORDER BY position").fetchall()
        connection.execute("UPDATE audit_event SET topic = 'lost'")
        assert connection.execute("SELECT rebuild_audit(0, 2), rebuild_audit(2, 99)").fetchall() == [(2, 2)]
        assert connection.execute("SELECT * FROM audit_event ORDER BY position").fetchall() == before
        assert len(before) == 4

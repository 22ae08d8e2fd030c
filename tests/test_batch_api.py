import asyncio
from typing import Any

import httpx
import psycopg
import pytest
from msgspec.structs import replace

from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, Key, create, create_item, create_presence, make_key, serving

pytestmark = pytest.mark.anyio

BATCH = f"{PRODUCTS}batch/"
NOT_FOUND = {"detail": "Not found."}


async def send(api: httpx.AsyncClient, *rows: Any, **headers: str) -> dict[str, Any]:
    response = await api.post(BATCH, json={"products": rows}, headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    assert [row["index"] for row in found["results"]] == list(range(len(rows)))
    return found


async def titles(api: httpx.AsyncClient) -> list[str]:
    found = await api.get(f"{PRODUCTS}?ordering=title&page_size=100")
    return [product["title"] for product in found.json()["results"]]


async def test_each_row_is_taken_or_refused_by_itself(api: httpx.AsyncClient, database_url: str) -> None:
    known = await create(api, title="Help!", tags=["1965"])
    foreign = make_key(database_url, "Brian")
    async with serving_as(api, foreign) as other:
        theirs = await create(other, title="Theirs")
    found = await send(
        api,
        {"title": "Abbey Road", "type": "physical", "artist_name": "The Beatles", "price_override_usd": 29.99},
        {"uid": known["uid"], "year": "1965", "artist_name": "the beatles"},
        {"title": " ", "year": "soon", "tags": ["", "x"]},
        {"uid": known["uid"], "year": "soon"},
        {"uid": theirs["uid"], "title": "Mine"},
        {"uid": "prod_1"},
        {"uid": 7},
        ["Abbey Road"],
        {"uid": None, "title": "Let It Be"},
    )
    assert (found["created"], found["updated"], found["refused"]) == (2, 1, 6)
    results = found["results"]
    assert [row["status"] for row in results] == [201, 200, 400, 400, 404, 404, 404, 400, 201]
    assert [row["errors"] for row in results] == [
        None,
        None,
        {
            "title": ["This field may not be blank."],
            "year": results[3]["errors"]["year"],
            "tags": {"0": ["This field may not be blank."]},
        },
        {"year": results[3]["errors"]["year"]},
        NOT_FOUND,
        NOT_FOUND,
        NOT_FOUND,
        {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]},
        None,
    ]
    uids = [row["uid"] for row in results]
    assert uids[1:8] == [known["uid"], None, known["uid"], theirs["uid"], None, None, None]
    for row in results:
        assert (row["product"] is None) == (row["status"] >= 400)
        if row["product"] is not None:
            assert row["product"] == (await api.get(f"{PRODUCTS}{row['uid']}/")).json()
    assert results[0]["product"]["artist"] == results[1]["product"]["artist"]
    assert results[1]["product"]["tags"] == ["1965"]
    assert await titles(api) == ["Abbey Road", "Help!", "Let It Be"]


def serving_as(api: httpx.AsyncClient, key: Key) -> httpx.AsyncClient:
    """Return a client of the same app with another key."""
    return httpx.AsyncClient(
        transport=api._transport, base_url=api.base_url, headers={"Authorization": f"Bearer {key.text}"}
    )


async def test_all_rows_are_one_transaction(api: httpx.AsyncClient, database_url: str) -> None:
    known = await create(api)
    rows = [{"title": f"Album {n}", "artist_name": f"Artist {n % 7}"} for n in range(499)]
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = connection.execute("SELECT max(notification_id) FROM events").fetchone()
        found = await send(api, *rows, {"uid": known["uid"], "title": "Album 499"})
        statement = "SELECT count(*), count(DISTINCT xmin::text) FROM events WHERE notification_id > %s"
        assert connection.execute(statement, before).fetchone() == (499 + 7 + 1, 1)
    assert [row["product"]["title"] for row in found["results"]] == [f"Album {n}" for n in range(500)]
    newest = (await api.get(f"{PRODUCTS}?page_size=3&ordering=created")).json()
    assert newest["count"] == 500
    # Rows share a time, so their order is that of their uids: the request's.
    assert [product["title"] for product in newest["results"]] == ["Album 499", "Album 0", "Album 1"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "This field is required."),
        ({"products": None}, "This field may not be null."),
        ({"products": {}}, 'Expected a list of items but got type "dict".'),
        ({"products": []}, "This list may not be empty."),
        ({"products": [{"title": "x"}] * 501}, "Ensure this field has no more than 500 elements."),
    ],
)
async def test_a_batch_has_from_one_to_five_hundred_rows(api: httpx.AsyncClient, body: Any, message: str) -> None:
    response = await api.post(BATCH, json=body)
    assert (response.status_code, response.json()) == (400, {"products": [message]})
    assert await titles(api) == []


async def test_strict_handling_is_for_each_row_and_for_the_batch(api: httpx.AsyncClient) -> None:
    strict = {"Prefer": "handling=strict"}
    found = await send(api, {"title": "a", "colour": "red"}, {"title": "b", "uid": None}, **strict)
    assert [row["errors"] for row in found["results"]] == [{"colour": ["Unknown field."]}, None]
    response = await api.post(BATCH, json={"products": [{"title": "c"}], "colour": "red"}, headers=strict)
    assert (response.status_code, response.json()) == (400, {"colour": ["Unknown field."]})
    assert (await api.post(BATCH, json={"products": [{"title": "c"}], "colour": "red"})).status_code == 200


async def test_rows_about_one_product_apply_in_their_order(api: httpx.AsyncClient) -> None:
    known = await create(api, title="a", year="1965")
    rows = [{"uid": known["uid"], **values} for values in ({"title": "b"}, {"title": 0}, {"title": "c", "year": None})]
    found = await send(api, *rows)
    assert [row["status"] for row in found["results"]] == [200, 400, 200]
    first, _, last = (row["product"] for row in found["results"])
    assert first == last == (await api.get(f"{PRODUCTS}{known['uid']}/")).json()
    assert (last["title"], last["year"]) == ("c", None)


async def test_what_changes_nothing_is_answered_and_makes_no_event(api: httpx.AsyncClient) -> None:
    known = await create(api, title="a")
    tag = (await api.get(f"{PRODUCTS}{known['uid']}/")).headers["etag"]
    found = await send(api, {"uid": known["uid"], "title": "a"}, **{"Idempotency-Key": "nothing"})
    assert found["results"][0]["product"] == known
    assert (await api.get(f"{PRODUCTS}{known['uid']}/")).headers["etag"] == tag


async def test_items_and_presences_are_shown_and_follow_their_product(api: httpx.AsyncClient) -> None:
    products = [await create(api, title=title) for title in ("a", "b", "c")]
    items = [await create_item(api, product, condition_item="mint") for product in products]
    await create_presence(api, products[0])
    rows = [{"uid": product["uid"], "title": product["title"] * 2} for product in products]
    found = await send(api, *rows, {"uid": products[2]["uid"], "year": "1969"}, **{"Idempotency-Key": "family"})
    for item, row in zip(items, found["results"], strict=False):
        shown = (await api.get(f"{INVENTORY}{item['uid']}/")).json()
        assert shown["title"] == row["product"]["inventory_items"][0]["title"] == f"{row['product']['title']} — M"
        assert row["product"] == (await api.get(f"{PRODUCTS}{row['uid']}/")).json()
    assert len(found["results"][0]["product"]["marketplace_presences"]) == 1


async def test_a_repeat_gets_the_first_answer_to_the_byte_and_does_nothing(api: httpx.AsyncClient) -> None:
    known = await create(api, title="a")
    body = {"products": [{"title": "b"}, {"uid": known["uid"], "year": "1969"}, {}, {"uid": "prod_"}]}
    headers = {"Idempotency-Key": "batch-1"}
    first = await api.post(BATCH, json=body, headers=headers)
    assert "idempotent-replayed" not in first.headers
    await api.patch(f"{PRODUCTS}{known['uid']}/", json={"title": "z"})
    again = await api.post(BATCH[:-1], json=body, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert await titles(api) == ["b", "z"]
    other = await api.post(BATCH, json={"products": [{"title": "c"}]}, headers=headers)
    assert other.status_code == 422


async def test_a_batch_that_is_wrong_as_a_whole_binds_no_key_and_one_of_wrong_rows_does(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "batch-1"}
    assert (await api.post(BATCH, json={"products": []}, headers=headers)).status_code == 400
    refused = await api.post(BATCH, json={"products": [{}]}, headers=headers)
    assert (refused.status_code, refused.json()["refused"]) == (200, 1)
    again = await api.post(BATCH, json={"products": [{}]}, headers=headers)
    assert (again.content, again.headers["idempotent-replayed"]) == (refused.content, "true")
    assert (await api.post(BATCH, json={"products": [{"title": "a"}]}, headers=headers)).status_code == 422


async def test_parallel_twins_make_one_batch(api: httpx.AsyncClient) -> None:
    known = await create(api, title="a")
    body = {"products": [{"title": "b", "artist_name": "Can"}, {"uid": known["uid"], "title": "c"}]}
    headers = {"Idempotency-Key": "twins"}
    answers = await asyncio.gather(*(api.post(BATCH, json=body, headers=headers) for _ in range(6)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert await titles(api) == ["b", "c"]


async def test_a_batch_that_meets_other_writers_is_decided_again(api: httpx.AsyncClient) -> None:
    products = [await create(api, title=str(n)) for n in range(4)]
    for product in products:
        await create_item(api, product)

    async def batch(n: int) -> None:
        rows = [{"uid": product["uid"], "title": f"batch {n}"} for product in products[:: 1 if n % 2 else -1]]
        await send(api, *rows, {"title": f"new {n}"}, **{"Idempotency-Key": f"batch {n}"})

    async def patch(n: int) -> None:
        path = f"{PRODUCTS}{products[n % 4]['uid']}/"
        assert (await api.patch(path, json={"year": str(1960 + n)})).status_code == 200

    await asyncio.gather(*(batch(n) for n in range(3)), *(patch(n) for n in range(3)))
    shown = [(await api.get(f"{PRODUCTS}{product['uid']}/")).json() for product in products]
    assert [product["year"] for product in shown] == ["1960", "1961", "1962", None]
    [title] = {product["title"] for product in shown}
    assert title.startswith("batch ")
    assert all(product["inventory_items"][0]["title"] == title for product in shown)
    assert [name for name in await titles(api) if name.startswith("new")] == ["new 0", "new 1", "new 2"]


async def test_nothing_is_left_of_a_batch_whose_database_dies(api: httpx.AsyncClient, database_url: str) -> None:
    known = await create(api, title="a")
    body = {"products": [{"title": "b"}, {"uid": known["uid"], "title": "c"}]}
    headers = {"Idempotency-Key": "crash"}
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction():
            # It waits here in the middle of its transaction.
            connection.execute("LOCK TABLE product_document IN EXCLUSIVE MODE")
            sending = asyncio.create_task(api.post(BATCH, json=body, headers=headers))
            await asyncio.sleep(0.3)
            killed = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deadwax write'"
                " AND datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchall()
            assert killed
        first = await sending
        assert connection.execute("SELECT count(*) FROM receipt").fetchone() == (1,)
    assert first.status_code == 200
    again = await api.post(BATCH, json=body, headers=headers)
    assert again.content == first.content
    assert await titles(api) == ["b", "c"]


async def test_a_batch_may_be_larger_than_other_bodies(plain_settings: Settings, key: Key) -> None:
    settings = replace(plain_settings, body_limit_bytes=2000, batch_limit_bytes=60_000)
    async with serving(settings, key.text) as api:
        await send(api, *({"title": "x" * 200} for _ in range(200)))
        large = await api.post(BATCH, json={"products": [{"title": "x" * 200}] * 300})
        assert (large.status_code, large.json()) == (413, {"detail": "The request body is too large."})
        assert (await api.post(PRODUCTS, json={"title": "x" * 2000})).status_code == 413


async def test_only_writers_may_and_only_with_post(api: httpx.AsyncClient, database_url: str, key: Key) -> None:
    reader = make_key(database_url, scopes=("read",), of=key.organization)
    async with serving_as(api, reader) as other:
        assert (await other.post(BATCH, json={"products": [{"title": "a"}]})).status_code == 403
    for path in (BATCH, BATCH[:-1]):
        for method in ("GET", "PATCH", "DELETE", "PUT"):
            response = await api.request(method, path)
            assert (response.status_code, response.headers["allow"]) == (405, "OPTIONS, POST"), method


async def test_a_batch_is_one_request_of_the_rate_limit(plain_settings: Settings, key: Key) -> None:
    async with serving(replace(plain_settings, rate_limit_per_minute=2), key.text) as api:
        await send(api, *({"title": "a"} for _ in range(20)))
        await send(api, *({"title": "a"} for _ in range(20)))
        assert (await api.post(BATCH, json={"products": [{"title": "a"}]})).status_code == 429

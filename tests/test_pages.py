from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from api.errors import BadRequest
from api.requests import parse_query
from commands.settings import Settings
from tests.clients import PRODUCTS, Key, create, serving

pytestmark = pytest.mark.anyio
INVALID = (404, b'{"detail":"Invalid page."}')


@pytest.fixture
async def shelf(api: httpx.AsyncClient) -> httpx.AsyncClient:
    for number in range(7):
        await create(api, title=f"Album {number}")
    return api


async def page(api: httpx.AsyncClient, query: str) -> dict[str, Any]:
    response = await api.get(f"{PRODUCTS}?{query}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_the_links_lead_through_all_pages_and_back(shelf: httpx.AsyncClient) -> None:
    first = await page(shelf, "page_size=3&ordering=title")
    assert (first["count"], first["previous"]) == (7, None)
    assert first["next"] == "http://testserver/api/v1/products/?page_size=3&ordering=title&page=2"
    second = (await shelf.get(first["next"])).json()
    assert second["previous"] == "http://testserver/api/v1/products/?page_size=3&ordering=title"
    third = (await shelf.get(second["next"])).json()
    assert third["next"] is None
    titles = [product["title"] for found in (first, second, third) for product in found["results"]]
    assert titles == [f"Album {number}" for number in range(7)]
    assert await page(shelf, "page_size=3&ordering=title&page=last") == {**third}


async def test_links_keep_the_other_parameters_as_they_were_sent(shelf: httpx.AsyncClient) -> None:
    found = await page(shelf, "page=2&tags=&search=album+%22&page_size=2&page=1&x=%C3%A9%26")
    assert found["next"].endswith("?tags=&search=album+%22&page_size=2&x=%C3%A9%26&page=2")


@pytest.mark.parametrize(
    "number", ["0", "-1", "3", "x", "1.0", "1e0", "٣", "1_0", "%2B1", "9" * 40, "1" + "0" * 18, "LAST"]
)
async def test_a_page_that_does_not_exist_is_a_404(shelf: httpx.AsyncClient, number: str) -> None:
    response = await shelf.get(f"{PRODUCTS}?page_size=4&page={number}")
    assert (response.status_code, response.content) == INVALID


async def test_an_empty_first_page_exists(api: httpx.AsyncClient) -> None:
    empty: dict[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}
    assert await page(api, "") == await page(api, "page=1") == await page(api, "page=last") == empty
    response = await api.get(f"{PRODUCTS}?page=2")
    assert (response.status_code, response.content) == INVALID


@pytest.mark.parametrize(
    ("size", "shown"), [("2", 2), ("0", 7), ("-5", 7), ("x", 7), ("", 7), ("100000", 7), ("9" * 50, 7), ("٣", 7)]
)
async def test_a_page_size_that_is_none_gives_the_default(shelf: httpx.AsyncClient, size: str, shown: int) -> None:
    assert len((await page(shelf, f"page_size={size}"))["results"]) == shown


async def test_a_page_has_a_hundred_results_at_most(shelf: httpx.AsyncClient) -> None:
    found = await page(shelf, "page_size=101")
    assert found["next"] is None
    for number in range(95):
        await create(shelf, title=str(number))
    assert len((await page(shelf, "page_size=5000"))["results"]) == 100
    assert len((await page(shelf, ""))["results"]) == 15


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("has_inventory=maybe", {"has_inventory": ["Must be a valid boolean."]}),
        ("type=vinyl", {"type": ['"vinyl" is not a valid choice.']}),
        ("status=listed,gone", {"status": ['"gone" is not a valid choice.']}),
        ("search=" + "x" * 201, {"search": ["Ensure this field has no more than 200 characters."]}),
        ("search=a%00b", {"search": ["Null characters are not allowed."]}),
        ("tags=%00", {"tags": ["Null characters are not allowed."]}),
        (
            "type=x&uploadable_to_redbubble=2&page=0",
            {"type": ['"x" is not a valid choice.'], "uploadable_to_redbubble": ["Must be a valid boolean."]},
        ),
    ],
)
async def test_filters_that_mean_nothing_are_refused(
    api: httpx.AsyncClient, query: str, errors: dict[str, list[str]]
) -> None:
    response = await api.get(f"{PRODUCTS}?{query}")
    assert (response.status_code, response.json()) == (400, errors)


@pytest.mark.parametrize(
    "search", ["((((", "!!!", "' or 1=1", "%", "_", "\\", "a & | b:*", '"', "<->", "\u200b", "́", "🎷", "x" * 200]
)
async def test_no_search_is_an_error(shelf: httpx.AsyncClient, search: str) -> None:
    response = await shelf.get(PRODUCTS, params={"search": search})
    assert response.status_code == 200


async def test_a_query_that_is_not_utf_8_is_refused(api: httpx.AsyncClient) -> None:
    for query in ("search=%FF", "x=%ED%A0%80", "%C3=1"):
        response = await api.get(f"{PRODUCTS}?{query}")
        assert (response.status_code, response.json()) == (400, {"detail": "The query is not valid UTF-8."})


async def test_the_list_is_served_without_its_slash_too(shelf: httpx.AsyncClient) -> None:
    assert (await shelf.get(PRODUCTS.rstrip("/"))).content == (await shelf.get(PRODUCTS)).content


async def test_links_follow_the_public_url(plain_settings: Settings, key: Key) -> None:
    async with serving(replace(plain_settings, public_url="https://shop.example"), key.text) as client:
        for _ in range(2):
            await create(client)
        found = await page(client, "page_size=1")
        assert found["next"] == "https://shop.example/api/v1/products/?page_size=1&page=2"


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}


@pytest.mark.parametrize(
    ("trusted", "headers", "base"),
    [
        ((), FORWARDED, "http://testserver"),
        (("127.0.0.0/8",), FORWARDED, "https://shop.example"),
        (("127.0.0.0/8",), {"X-Forwarded-Host": 'evil".example'}, "http://testserver"),
        (("10.0.0.0/8",), FORWARDED, "http://testserver"),
    ],
)
async def test_forwarded_headers_count_from_trusted_proxies_alone(
    plain_settings: Settings, key: Key, trusted: tuple[str, ...], headers: dict[str, str], base: str
) -> None:
    async with serving(replace(plain_settings, trusted_proxies=trusted), key.text) as client:
        for _ in range(2):
            await create(client)
        response = await client.get(f"{PRODUCTS}?page_size=1", headers=headers)
        assert response.json()["next"].startswith(f"{base}/api/")


@given(st.binary(max_size=60).filter(lambda raw: b"#" not in raw))
def test_a_query_is_read_as_the_standard_library_reads_it(raw: bytes) -> None:
    try:
        query = parse_query(raw)
    except BadRequest:
        return
    expected = [(n.decode(), v.decode()) for n, v in parse_qsl(raw, keep_blank_values=True)] if raw.isascii() else None
    if expected is not None:
        assert [(name, value) for name, value, _ in query.parts] == expected
    sent_on = urlsplit("http://x/?" + query.without("page")).query
    again = parse_query(sent_on.encode())
    assert [part[:2] for part in again.parts] == [part[:2] for part in query.parts if part[0] != "page"]

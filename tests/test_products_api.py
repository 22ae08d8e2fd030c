import re
from typing import Any

import httpx
import msgspec
import pytest

from commands.settings import Settings
from projections.product_document import ProductDocument
from tests.clients import PRODUCTS, create, make_key, serving

pytestmark = pytest.mark.anyio

EVERYTHING: dict[str, Any] = {
    "title": "Abbey Road",
    "type": "physical",
    "artist_name": "The Beatles",
    "music_label_name": "Apple Records",
    "catalog_number": "PCS 7088",
    "sku": "BEA-1",
    "upc": "0077774644020",
    "formats": ["Vinyl", "LP"],
    "year": "1969-09-26",
    "marketplace_description": "Original 1969 UK pressing.\n",
    "license_type": "personal",
    "license_notes": "For personal use.",
    "tags": ["classic-rock", "uk-pressing"],
    "media_type": "album",
    "is_mature_content": True,
    "default_visibility": "public",
    "default_shop_product": True,
    "background_color": "#fff",
    "enabled_product_types": {"poster": {"sizes": [1, 2.5]}},
    "collections": {"shelf": "A3"},
    "price_override_usd": "29.99",
    "external_id": "249504",
    "external_id_title": "Discogs release",
}
WRITE_ONLY = {"artist_name", "music_label_name", "external_id", "external_id_title"}


async def test_a_product_with_a_title_alone_has_the_full_key_set_and_the_defaults(api: httpx.AsyncClient) -> None:
    product = await create(api, title="  Abbey Road ")
    assert list(product) == [field.name for field in msgspec.structs.fields(ProductDocument)]
    assert product["title"] == "Abbey Road"
    assert product["type"] == "digital"
    assert product["tags"] == []
    assert product["metadata"] is None
    assert product["is_mature_content"] is False
    assert product["redbubble_presence"] == {
        "exists": False,
        "external_url": None,
        "external_listing_id": None,
        "status": None,
    }
    assert all(platform["supports_digital"] for platform in product["available_platforms"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", product["created"])


async def test_what_is_sent_is_what_is_read_back(api: httpx.AsyncClient) -> None:
    product = await create(api, **EVERYTHING)
    for name in EVERYTHING.keys() - WRITE_ONLY:
        assert product[name] == EVERYTHING[name], name
    assert product["artist"]["name"] == "The Beatles"
    assert product["artist"]["uid"].startswith("art_")
    assert product["music_label"]["uid"].startswith("lbl_")
    assert product["metadata"] == {"external_id": "249504", "external_id_title": "Discogs release"}
    assert (product["resolved_identifier"], product["resolved_identifier_source"]) == ("BEA-1", "sku")
    assert product["type_display"] == "Physical"
    assert len(product["available_platforms"]) == 9
    response = await api.get(f"{PRODUCTS}{product['uid']}/")
    assert response.json() == product
    assert (await api.get(PRODUCTS)).json()["results"] == [product]


async def test_create_answers_201_with_where_the_product_is(api: httpx.AsyncClient) -> None:
    response = await api.post(PRODUCTS, json={"title": "Abbey Road"})
    assert response.headers["location"] == f"{PRODUCTS}{response.json()['uid']}/"
    found = await api.get(response.headers["location"])
    assert found.content == response.content
    assert found.headers["etag"] == response.headers["etag"]


async def test_patch_changes_the_fields_given_and_ignores_what_is_read_only(api: httpx.AsyncClient) -> None:
    product = await create(api, **EVERYTHING)
    sent = {**product, "title": "", "type": "nft", "price_override_usd": None, "created": "never", "uid": "prod_x"}
    response = await api.patch(f"{PRODUCTS}{product['uid']}/", json=sent)
    assert response.status_code == 200
    changed = response.json()
    assert (changed["title"], changed["price_override_usd"], changed["type"]) == ("", None, "physical")
    same = product.keys() - {"title", "price_override_usd", "updated"}
    assert {name: changed[name] for name in same} == {name: product[name] for name in same}
    assert changed["updated"] > product["updated"]


@pytest.mark.parametrize("title", ["", None, "   "])
async def test_a_title_may_be_cleared_by_patch_alone(api: httpx.AsyncClient, title: str | None) -> None:
    product = await create(api)
    response = await api.patch(f"{PRODUCTS}{product['uid']}/", json={"title": title})
    assert response.json()["title"] == (title.strip() if title else title)
    refused = await api.post(PRODUCTS, json={"title": title})
    message = "This field may not be null." if title is None else "This field may not be blank."
    assert (refused.status_code, refused.json()) == (400, {"title": [message]})


async def test_names_are_folded_and_matched_whatever_their_case(api: httpx.AsyncClient) -> None:
    first = await create(api, artist_name="  The \t Beatles ")
    second = await create(api, artist_name="THE BEATLES")
    assert first["artist"] == second["artist"]
    assert first["artist"]["name"] == "The Beatles"
    for blank in ("", "  ", None):
        response = await api.patch(f"{PRODUCTS}{first['uid']}/", json={"artist_name": blank})
        assert response.json()["artist"] is None
        await api.patch(f"{PRODUCTS}{first['uid']}/", json={"artist_name": "The Beatles"})


async def test_delete_takes_it_from_every_endpoint_at_once(api: httpx.AsyncClient) -> None:
    product = await create(api)
    path = f"{PRODUCTS}{product['uid']}/"
    response = await api.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    missing = await api.get(path)
    assert (missing.status_code, missing.content) == (404, b'{"detail":"Not found."}')
    assert (await api.delete(path)).status_code == 404
    for said in ("{}", '{"title": 0}', "[]", "{"):
        assert (await api.patch(path, content=said)).status_code == 404, said
    assert (await api.get(PRODUCTS)).json()["count"] == 0


async def test_another_organization_s_product_and_a_missing_one_look_the_same(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str
) -> None:
    product = await create(api)
    stranger = make_key(database_url, "Stranger")
    async with serving(plain_settings, stranger.text) as other:
        for uid in (product["uid"], "prod_" + "0" * 26, "prod_", "nonsense", "art_" + product["uid"][5:]):
            for method in ("GET", "PATCH", "DELETE"):
                body = {"title": 5} if method == "PATCH" else None
                response = await other.request(method, f"{PRODUCTS}{uid}/", json=body)
                assert (response.status_code, response.content) == (404, b'{"detail":"Not found."}'), (method, uid)
        assert (await other.get(PRODUCTS)).json() == {"count": 0, "next": None, "previous": None, "results": []}
    assert (await api.get(f"{PRODUCTS}{product['uid']}/")).json() == product


async def test_all_that_is_wrong_is_said_at_once(api: httpx.AsyncClient) -> None:
    wrong = {
        "type": "vinyl",
        "tags": ["fine", "x" * 101],
        "price_override_usd": 0,
        "year": "1969-02-30",
        "license_type": "mine",
        "is_mature_content": "yes",
        "collections": [],
        "formats": "LP",
    }
    response = await api.post(PRODUCTS, json=wrong)
    assert response.status_code == 400
    assert response.json() == {
        "title": ["This field is required."],
        "type": ['"vinyl" is not a valid choice.'],
        "tags": {"1": ["Ensure this field has no more than 100 characters."]},
        "price_override_usd": ["Ensure this value is greater than 0."],
        "year": ["Date has wrong format. Use one of these formats instead: YYYY, YYYY-MM-DD."],
        "license_type": ['"mine" is not a valid choice.'],
        "is_mature_content": ["Must be a valid boolean."],
        "collections": ['Expected a dictionary of items but got type "list".'],
        "formats": ['Expected a list of items but got type "str".'],
    }
    assert (await api.get(PRODUCTS)).json()["count"] == 0


async def test_unknown_fields_are_ignored_unless_the_client_is_strict(api: httpx.AsyncClient) -> None:
    body = {"title": "Abbey Road", "colour": "blue", "uid": "prod_1"}
    assert (await api.post(PRODUCTS, json=body)).status_code == 201
    strict = await api.post(PRODUCTS, json=body, headers={"Prefer": "respond-async, Handling=strict"})
    assert (strict.status_code, strict.json()) == (400, {"colour": ["Unknown field."]})
    product = await create(api)
    path = f"{PRODUCTS}{product['uid']}/"
    back = await api.patch(path, json=product, headers={"Prefer": "handling=strict"})
    assert back.status_code == 200


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("search=beatles", ["Abbey Road", "Help!"]),
        ("search=pcs7088", ["Abbey Road"]),
        ("search=%22road+abbey%22", []),
        ("type=physical", ["Abbey Road"]),
        ("type=physical,nft&type=digital", ["Abbey Road", "Blue", "Help!"]),
        ("tags=ROCK", ["Abbey Road"]),
        ("tags=%25", []),
        ("tags=,folk,,rock", ["Abbey Road", "Blue"]),
        ("has_inventory=FALSE", ["Abbey Road", "Blue", "Help!"]),
        ("has_inventory=1", []),
        ("status=listed,sold&status=draft", []),
        ("uploadable_to_redbubble=true", []),
        ("has_inventory=&search=&type=", ["Abbey Road", "Blue", "Help!"]),
    ],
)
async def test_the_list_is_filtered(api: httpx.AsyncClient, query: str, titles: list[str]) -> None:
    await create(
        api,
        title="Abbey Road",
        type="physical",
        artist_name="The Beatles",
        catalog_number="PCS 7088",
        tags=["classic-rock"],
    )
    await create(api, title="Help!", artist_name="the beatles")
    await create(api, title="Blue", tags=["Folk"])
    response = await api.get(f"{PRODUCTS}?{query}")
    assert response.status_code == 200, response.text
    assert sorted(product["title"] for product in response.json()["results"]) == titles
    assert response.json()["count"] == len(titles)


async def test_the_list_is_ordered(api: httpx.AsyncClient) -> None:
    for title, artist, price in (("b", "Z", "5"), ("A", None, None), ("C", "y", "7")):
        await create(api, title=title, artist_name=artist, price_override_usd=price)

    async def titles(ordering: str) -> str:
        response = await api.get(PRODUCTS, params={"ordering": ordering})
        return "".join(product["title"] for product in response.json()["results"])

    assert await titles("title") == "AbC"
    assert await titles("-title") == "CbA"
    assert await titles("created") == "bAC"
    assert await titles("-created") == "CAb"
    assert await titles("artist__name") == "CbA"
    assert await titles("-artist__name") == "bCA"
    assert await titles("price_high_low") == "CbA"
    assert await titles("price_low_high") == "bCA"
    assert await titles("id;drop") == "CAb"
    assert await titles("most_inventory,nonsense,title") == "AbC"

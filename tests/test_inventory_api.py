"""Inventory items one by one: what is answered, refused, changed and deleted."""

import re
from typing import Any

import httpx
import pytest

from commands.settings import Settings
from tests.clients import INVENTORY, PRODUCTS, create, create_item, make_key, serving
from tests.copies import MISSING, again, at, listed

pytestmark = pytest.mark.anyio

FULL: dict[str, Any] = {
    "name": "Abbey Road, first pressing",
    "status": "ready-to-sell",
    "condition_item": "vg_plus",
    "condition_container": "vg",
    "condition_comments": "Light surface marks",
    "price_total_usd": "34.99",
    "listing_current_price": "35.99",
    "price_expected_usd": "39.99",
    "manual_sku": "SHELF-7",
    "manual_description": "Hype sticker.\n",
}
SUMMARY: dict[str, type] = {
    "uid": str,
    "title": str,
    "status": str,
    "status_display": str,
    "condition_item": str,
    "condition_item_display": str,
    "condition_container": str,
    "condition_container_display": str,
    "condition_comments": str,
    "price_total_usd": str,
    "listing_current_price": str,
    "price_expected_usd": str,
    "resolved_sku": str,
    "resolved_sku_source": str,
    "grade_tier_code": str,
    "grade_tier_label": str,
    "created": str,
    "updated": str,
}
WHOLE: dict[str, type] = {
    **SUMMARY,
    "name": str,
    "product": dict,
    "manual_sku": str,
    "manual_description": str,
    "assets": list,
    "days_in_inventory": int,
}


@pytest.fixture
async def product(api: httpx.AsyncClient) -> dict[str, Any]:
    return await create(api, type="physical", artist_name="The Beatles", catalog_number="PCS 7088")


async def test_every_answer_has_the_whole_item_and_its_types(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    response = await api.post(INVENTORY, json={"product_uid": product["uid"], **FULL})
    assert response.status_code == 201
    made = response.json()
    assert list(made) == list(WHOLE)
    for name, kind in WHOLE.items():
        assert type(made[name]) is kind, name
    assert {name: made[name] for name in FULL} == FULL
    assert made["uid"].startswith("inv_")
    assert made["product"] == {
        "uid": product["uid"],
        "title": "Abbey Road",
        "type": "physical",
        "artist": product["artist"],
        "catalog_number": "PCS 7088",
    }
    assert (made["assets"], made["days_in_inventory"]) == ([], 0)
    for name in ("created", "updated"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", made[name])
    assert response.headers["location"] == at(made)
    got = await api.get(at(made))
    assert (got.status_code, got.content) == (200, response.content)
    assert got.headers["etag"] == response.headers["etag"]
    page = (await api.get(INVENTORY)).json()
    assert page == {"count": 1, "next": None, "previous": None, "results": [made]}
    patched = await api.patch(at(made), json={})
    assert (patched.status_code, patched.content, patched.headers["etag"]) == (200, got.content, got.headers["etag"])


async def test_a_product_nests_summaries_of_its_items(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    made = [await create_item(api, product, **FULL), await create_item(api, product)]
    [row] = (await api.get(PRODUCTS)).json()["results"]
    found = await again(api, product)
    assert row["inventory_items"] == found["inventory_items"]
    assert [list(item) for item in found["inventory_items"]] == [list(SUMMARY)] * 2
    by_uid = {item["uid"]: item for item in found["inventory_items"]}
    assert by_uid == {item["uid"]: {name: item[name] for name in SUMMARY} for item in made}


async def test_only_the_product_is_required_and_the_rest_has_defaults(
    api: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    made = await create_item(api, product)
    assert {name for name, value in made.items() if value is not None} == {
        "uid",
        "title",
        "status",
        "status_display",
        "resolved_sku",
        "resolved_sku_source",
        "created",
        "updated",
        "product",
        "assets",
        "days_in_inventory",
    }
    assert (made["status"], made["status_display"]) == ("received", "Received")


async def test_a_product_that_is_not_there_is_refused_with_all_else_that_is_wrong(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str
) -> None:
    nobodys = "prod_" + "0" * 26
    stranger = make_key(database_url, "Stranger")
    async with serving(plain_settings, stranger.text) as other:
        foreign = (await create(other))["uid"]
        for uid in (nobodys, foreign, "x", "prod_"):
            response = await api.post(INVENTORY, json={"product_uid": uid, "status": "x", "name": 5})
            assert (response.status_code, response.json()) == (
                400,
                {
                    "product_uid": [f"Object with uid={uid} does not exist."],
                    "status": ['"x" is not a valid choice.'],
                    "name": ["Not a valid string."],
                },
            )
            alone = await api.post(INVENTORY, json={"product_uid": uid})
            assert alone.json() == {"product_uid": [f"Object with uid={uid} does not exist."]}
        assert (await other.get(INVENTORY)).json()["count"] == 0
    for said, message in (({}, "required"), ({"product_uid": None}, "null"), ({"product_uid": ""}, "blank")):
        response = await api.post(INVENTORY, json=said)
        assert (response.status_code, list(response.json())) == (400, ["product_uid"])
        assert message in response.json()["product_uid"][0]


async def test_all_that_is_wrong_is_said_at_once(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    wrong = {
        "name": "x" * 256,
        "status": "Received",
        "condition_item": "generic",
        "condition_container": "M",
        "condition_comments": ["x"],
        "price_total_usd": "0",
        "listing_current_price": "1e400",
        "price_expected_usd": True,
        "manual_sku": "x" * 101,
        "manual_description": "a\0b",
    }
    expected = {
        "name": ["Ensure this field has no more than 255 characters."],
        "status": ['"Received" is not a valid choice.'],
        "condition_item": ['"generic" is not a valid choice.'],
        "condition_container": ['"M" is not a valid choice.'],
        "condition_comments": ["Not a valid string."],
        "price_total_usd": ["Ensure this value is greater than 0."],
        "listing_current_price": ["Ensure that there are no more than 12 digits in total."],
        "price_expected_usd": ["A valid number is required."],
        "manual_sku": ["Ensure this field has no more than 100 characters."],
        "manual_description": ["Null characters are not allowed."],
    }
    response = await api.post(INVENTORY, json={"product_uid": product["uid"], **wrong})
    assert (response.status_code, response.json()) == (400, expected)
    made = await create_item(api, product)
    response = await api.patch(at(made), json=wrong)
    assert (response.status_code, response.json()) == (400, expected)
    assert (await api.get(at(made))).json() == made


async def test_items_belong_to_products_of_every_type(api: httpx.AsyncClient) -> None:
    for kind in ("physical", "digital", "digital-report", "nft"):
        made = await create_item(api, await create(api, type=kind))
        assert made["product"]["type"] == kind


async def test_patch_changes_what_is_given_and_the_product_never(
    api: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    other = await create(api, title="Help!")
    made = await create_item(api, product, **FULL)
    sent = {**made, "product_uid": other["uid"], "price_total_usd": 12.5, "title": "Mine", "days_in_inventory": -4}
    response = await api.patch(at(made), json=sent, headers={"Prefer": "handling=strict"})
    assert response.status_code == 200, response.text
    changed = response.json()
    same = made.keys() - {"price_total_usd", "updated"}
    assert {name: changed[name] for name in same} == {name: made[name] for name in same}
    assert changed["price_total_usd"] == "12.50"
    assert changed["updated"] > made["updated"]
    assert (await api.get(at(made))).json() == changed
    strict = await api.patch(at(made), json={"colour": "blue"}, headers={"Prefer": "handling=strict"})
    assert (strict.status_code, strict.json()) == (400, {"colour": ["Unknown field."]})
    cleared = (await api.patch(at(made), json=dict.fromkeys(FULL.keys() - {"status"}))).json()
    assert [cleared[name] for name in FULL if name != "status"] == [None] * (len(FULL) - 1)
    assert (await api.patch(at(made), json={"status": None})).json() == {"status": ["This field may not be null."]}


async def test_delete_ends_it_everywhere_at_once(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    kept, gone = await create_item(api, product), await create_item(api, product)
    response = await api.delete(at(gone))
    assert (response.status_code, response.content) == (204, b"")
    for method in ("GET", "PATCH", "DELETE"):
        missing = await api.request(method, at(gone))
        assert (missing.status_code, missing.content) == MISSING
    assert await listed(api) == [kept]
    assert [item["uid"] for item in (await again(api, product))["inventory_items"]] == [kept["uid"]]


async def test_its_product_takes_it_along(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    made = await create_item(api, product)
    assert (await api.delete(f"{PRODUCTS}{product['uid']}/")).status_code == 204
    response = await api.get(at(made))
    assert (response.status_code, response.content) == MISSING
    assert await listed(api) == []

"""What is made of an item's fields: words, grades, titles and SKUs."""

import asyncio
from typing import Any

import httpx
import pytest

from commands.settings import Settings
from domain.choices import CONTAINER_CONDITIONS, INVENTORY_STATUSES, ITEM_CONDITIONS
from tests.clients import INVENTORY, PRODUCTS, Key, create, create_item, serving
from tests.copies import again, at, listed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def product(api: httpx.AsyncClient) -> dict[str, Any]:
    return await create(api, type="physical", artist_name="The Beatles", catalog_number="PCS 7088")


async def test_every_status_has_its_words(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    assert INVENTORY_STATUSES["ready-to-sell"] == "Ready to Sell"
    made = await create_item(api, product)
    for status, display in INVENTORY_STATUSES.items():
        response = await api.patch(at(made), json={"status": status})
        assert (response.json()["status"], response.json()["status_display"]) == (status, display)


async def test_what_has_left_does_not_go_back_before_it_came(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    for status in ("shipped", "archived"):
        made = await create_item(api, product, status=status)
        for before in ("draft", "ordered"):
            response = await api.patch(at(made), json={"status": before, "name": 5})
            assert (response.status_code, set(response.json())) == (400, {"status", "name"}), (status, before)
        assert (await api.get(at(made))).json() == made
        for after in ("returned", "received", "draft"):
            assert (await api.patch(at(made), json={"status": after})).status_code == 200, (status, after)


TIERS = {
    "mint": ("mint", "Mint"),
    "near_mint": ("excellent", "Excellent"),
    "vg_plus": ("very_good", "Very Good"),
    "vg": ("good", "Good"),
    "good_plus": ("fair", "Fair"),
    "good": ("fair", "Fair"),
    "fair": ("poor", "Poor"),
    "poor": ("poor", "Poor"),
}


async def test_grades_have_words_and_the_worse_one_makes_the_tier(
    api: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    made = await create_item(api, product)
    worst_last = list(ITEM_CONDITIONS)
    pairs: list[tuple[str, str | None]] = [(grade, None) for grade in ITEM_CONDITIONS]
    pairs += [("vg", container) for container in CONTAINER_CONDITIONS]
    for item, container in [*pairs, ("poor", "mint")]:
        response = await api.patch(at(made), json={"condition_item": item, "condition_container": container})
        graded = response.json()
        assert graded["condition_item_display"] == ITEM_CONDITIONS[item]
        assert graded["condition_container_display"] == (CONTAINER_CONDITIONS[container] if container else None)
        counted = [grade for grade in (item, container) if grade is not None and grade in ITEM_CONDITIONS]
        tier = TIERS[max(counted, key=worst_last.index)]
        assert (graded["grade_tier_code"], graded["grade_tier_label"]) == tier, (item, container)
    response = await api.patch(at(made), json={"condition_item": None, "condition_container": "mint"})
    assert (response.json()["grade_tier_code"], response.json()["grade_tier_label"]) == (None, None)
    assert (response.json()["condition_item"], response.json()["condition_item_display"]) == (None, None)


async def test_the_title_is_the_name_or_the_product_s_and_the_grade(
    api: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    made = await create_item(api, product)
    assert made["title"] == "Abbey Road"
    graded = (await api.patch(at(made), json={"condition_item": "vg_plus"})).json()
    assert graded["title"] == "Abbey Road — VG+"
    named = (await api.patch(at(made), json={"name": "First pressing"})).json()
    assert named["title"] == "First pressing — VG+"
    await api.patch(at(made), json={"name": ""})
    await api.patch(f"{PRODUCTS}{product['uid']}/", json={"title": "Abbey Road (Remastered)"})
    assert (await api.get(at(made))).json()["title"] == "Abbey Road (Remastered) — VG+"
    [row] = await listed(api)
    assert row["product"]["title"] == "Abbey Road (Remastered)"
    [summary] = (await again(api, product))["inventory_items"]
    assert summary["title"] == "Abbey Road (Remastered) — VG+"


async def test_the_sku_is_its_own_or_the_product_s_or_made(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    first, second = await create_item(api, product), await create_item(api, product, manual_sku="MINE")

    async def sku(item: dict[str, Any]) -> tuple[str | None, str | None]:
        found = (await api.get(at(item))).json()
        return found["resolved_sku"], found["resolved_sku_source"]

    assert await sku(first) == ("PCS-7088-001", "generated")
    assert await sku(second) == ("MINE", "manual")
    await api.patch(at(second), json={"manual_sku": None})
    assert await sku(second) == ("PCS-7088-002", "generated")
    await api.patch(f"{PRODUCTS}{product['uid']}/", json={"sku": "BEA-1"})
    assert [await sku(first), await sku(second)] == [("BEA-1", "product")] * 2
    await api.patch(f"{PRODUCTS}{product['uid']}/", json={"sku": "", "catalog_number": None})
    assert await sku(first) == (None, None)


async def test_the_counter_of_made_skus_never_goes_back(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    first = await create_item(api, product)
    await api.delete(at(first))
    assert (await create_item(api, product))["resolved_sku"] == "PCS-7088-002"


async def test_parallel_items_of_one_product_all_get_a_sku_of_their_own(plain_settings: Settings, key: Key) -> None:
    async with serving(plain_settings, key.text) as one, serving(plain_settings, key.text) as two:
        product = await create(one, catalog_number="PCS 7088")
        body = {"product_uid": product["uid"]}
        answers = await asyncio.gather(*(client.post(INVENTORY, json=body) for client in (one, two) * 8))
        made = [answer.json()["resolved_sku"] for answer in answers if answer.status_code == 201]
        assert len(made) == len(set(made)) >= 8
        assert {answer.status_code for answer in answers} <= {201, 503}
        assert (await again(two, product))["total_inventory_count"] == len(made)

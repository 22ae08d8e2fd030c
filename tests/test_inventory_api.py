import asyncio
import re
from typing import Any

import httpx
import pytest

from commands.settings import Settings
from domain.choices import CONTAINER_CONDITIONS, INVENTORY_STATUSES, ITEM_CONDITIONS
from tests.clients import INVENTORY, PRODUCTS, Key, create, create_item, create_presence, make_key, serving

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
MISSING = (404, b'{"detail":"Not found."}')
ONE = {"Idempotency-Key": "copy 1"}


@pytest.fixture
async def product(api: httpx.AsyncClient) -> dict[str, Any]:
    return await create(api, type="physical", artist_name="The Beatles", catalog_number="PCS 7088")


def at(item: dict[str, Any]) -> str:
    return f"{INVENTORY}{item['uid']}/"


async def listed(api: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    response = await api.get(f"{INVENTORY}?{query}")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["results"]
    return found


async def again(api: httpx.AsyncClient, product: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"{PRODUCTS}{product['uid']}/")).json()
    return found


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


async def test_counts_and_the_computed_price_follow_the_items(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    async def seen() -> tuple[Any, ...]:
        found = await again(api, product)
        counts = ("total_inventory_count", "listed_inventory_count", "available_inventory_count")
        return (*(found[name] for name in counts), found["price_computed_usd"])

    await create_presence(api, product, status="active", listing_price_usd="5")
    assert await seen() == (0, 0, 0, "5.00")
    sold = await create_item(api, product, status="sold", price_total_usd="1")
    assert await seen() == (1, 0, 0, "5.00")
    await create_item(api, product, status="received", price_total_usd="30", listing_current_price="25")
    assert await seen() == (2, 0, 1, "25.00")
    await create_item(api, product, status="listed", price_total_usd="20")
    assert await seen() == (3, 1, 1, "20.00")
    await create_item(api, product, status="ready-to-sell", listing_current_price="15", price_total_usd="3")
    assert await seen() == (4, 1, 2, "15.00")
    await api.patch(f"{PRODUCTS}{product['uid']}/", json={"price_override_usd": "99"})
    assert (await seen())[-1] == "15.00"
    await api.delete(at(sold))
    assert await seen() == (3, 1, 2, "15.00")


async def test_products_are_filtered_and_ordered_by_their_items(api: httpx.AsyncClient) -> None:
    for title, statuses in (("none", ()), ("sold", ("sold", "sold")), ("one", ("listed",)), ("two", ("received",) * 3)):
        product = await create(api, title=title)
        for status in statuses:
            await create_item(api, product, status=status, price_total_usd="5")

    async def titles(query: str) -> list[str]:
        response = await api.get(f"{PRODUCTS}?{query}")
        assert response.json()["count"] == len(response.json()["results"])
        return [product["title"] for product in response.json()["results"]]

    assert set(await titles("has_inventory=true")) == {"sold", "one", "two"}
    assert await titles("has_inventory=0") == ["none"]
    assert await titles("has_available_inventory=1") == ["two"]
    assert set(await titles("has_available_inventory=False")) == {"none", "sold", "one"}
    assert await titles("status=sold") == ["sold"]
    assert set(await titles("status=sold,received")) == {"sold", "two"}
    assert set(await titles("status=sold&status=listed")) == {"sold", "one"}
    assert await titles("status=draft") == []
    assert await titles("status=sold&has_available_inventory=true") == []
    assert (await titles("ordering=listed_first"))[0] == "one"
    assert (await titles("ordering=unlisted_first"))[-1] == "one"
    assert await titles("ordering=most_inventory") == ["two", "sold", "one", "none"]
    assert await titles("ordering=least_inventory") == ["none", "one", "sold", "two"]


async def test_what_can_go_to_redbubble_is_told(api: httpx.AsyncClient) -> None:
    # Without a digital asset nothing can.
    await create(api, type="digital")
    await create(api, type="physical")
    assert (await api.get(f"{PRODUCTS}?uploadable_to_redbubble=true")).json()["count"] == 0
    assert (await api.get(f"{PRODUCTS}?uploadable_to_redbubble=false")).json()["count"] == 2


async def test_the_list_is_filtered(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    other = await create(api, title="Blue", artist_name="Joni Mitchell", catalog_number="MS 2038")
    await create_item(api, product, name="a", manual_sku="SHELF-7", status="listed")
    await create_item(api, product, manual_description="hype sticker", status="sold")
    await create_item(api, other, name="c", condition_comments="warped")

    async def found(query: str) -> int:
        response = await api.get(f"{INVENTORY}?{query}")
        assert response.status_code == 200, response.text
        assert response.json()["count"] == len(response.json()["results"])
        count: int = response.json()["count"]
        return count

    searches = {
        "shelf7": 1,
        "SHELF-7": 1,
        "sticker": 1,
        "abbey": 2,
        "beatles": 2,
        "pcs7088": 2,
        "7088+sticker": 1,
        "joni+c": 1,
        "warped": 0,
        "listed": 0,
        "": 3,
        "((": 0,
        "%25": 0,
    }
    for text, count in searches.items():
        assert await found(f"search={text}") == count, text
    assert await found("status=listed") == 1
    assert await found("status=listed,sold") == 2
    assert await found("status=listed&status=sold") == 2
    assert await found("status=draft") == 0
    assert await found("status=") == 3
    assert await found(f"product_uid={product['uid']}") == 2
    assert await found(f"product_uid={product['uid']}&status=sold&search=beatles") == 1
    for nobodys in ("prod_" + "0" * 26, "prod_", "x", "🎷"):
        assert await found(f"product_uid={nobodys}") == 0


async def test_filters_that_mean_nothing_are_refused(api: httpx.AsyncClient) -> None:
    response = await api.get(f"{INVENTORY}?status=gone,sold&search={'x' * 201}&product_uid=%00&page=0")
    assert (response.status_code, response.json()) == (
        400,
        {
            "status": ['"gone" is not a valid choice.'],
            "search": ["Ensure this field has no more than 200 characters."],
            "product_uid": ["Null characters are not allowed."],
        },
    )


async def test_the_list_is_ordered(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    await create_item(api, product, name="b", status="listed", condition_item="vg", price_total_usd="9", manual_sku="z")
    await create_item(api, product, name="C", status="draft", condition_item="mint", price_total_usd="10")
    await create_item(api, product, name="a", status="archived", manual_sku="Y")
    first = (await listed(api))[-1]
    await api.patch(at(first), json={"condition_comments": "x"})

    async def names(ordering: str) -> str:
        return "".join(item["name"] for item in await listed(api, f"ordering={ordering}"))

    orders = {
        "": "aCb",
        "created": "bCa",
        "-created": "aCb",
        "updated": "Cab",
        "-updated": "baC",
        "name": "abC",
        "-name": "Cba",
        "title": "abC",
        "-title": "Cba",
        "price_total_usd": "bCa",
        "-price_total_usd": "Cba",
        "status": "Cba",
        "-status": "abC",
        "condition_item": "Cba",
        "-condition_item": "bCa",
        "days_in_inventory": "aCb",
        "-days_in_inventory": "bCa",
        "nonsense": "aCb",
        "nonsense,title": "abC",
    }
    for ordering, expected in orders.items():
        assert await names(ordering) == expected, ordering
    # Without a value they come last in both directions.
    assert (await names("manual_sku"))[-1] == (await names("-manual_sku"))[-1] == "C"


async def test_pages_are_of_ten_and_a_hundred_at_most(api: httpx.AsyncClient, product: dict[str, Any]) -> None:
    for number in range(12):
        await create_item(api, product, name=f"{number:02}")
    first = (await api.get(INVENTORY)).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (12, 10, None)
    assert first["next"] == f"http://testserver{INVENTORY}?page=2"
    second = (await api.get(first["next"])).json()
    assert (len(second["results"]), second["next"], second["previous"]) == (2, None, f"http://testserver{INVENTORY}")
    assert (await api.get(f"{INVENTORY}?page=last")).json() == second
    assert len(await listed(api, "page_size=5000")) == 12
    assert len(await listed(api, "page_size=0")) == 10
    for wrong in ("0", "3", "x", "-1"):
        response = await api.get(f"{INVENTORY}?page={wrong}")
        assert (response.status_code, response.json()) == (404, {"detail": "Invalid page."})
    assert (await api.get(INVENTORY.rstrip("/"))).json() == first


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

"""Lists of items, and what products tell of theirs."""

from typing import Any

import httpx
import pytest

from tests.clients import INVENTORY, PRODUCTS, create, create_item, create_presence
from tests.copies import again, at, listed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def product(api: httpx.AsyncClient) -> dict[str, Any]:
    return await create(api, type="physical", artist_name="The Beatles", catalog_number="PCS 7088")


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

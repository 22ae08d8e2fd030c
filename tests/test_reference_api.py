from typing import Any

import httpx
import pytest

from tests.clients import create

pytestmark = pytest.mark.anyio


async def got(api: httpx.AsyncClient, name: str) -> Any:
    response = await api.get(f"/api/v1/{name}/")
    assert response.status_code == 200
    return response.json()


async def test_the_platforms_are_those_that_are_known_as_the_document_shows_them(api: httpx.AsyncClient) -> None:
    platforms = await got(api, "platforms")
    assert platforms[0] == {
        "uid": "plat_ebay",
        "name": "eBay",
        "slug": "ebay",
        "display_name": "eBay",
        "platform_type": "marketplace",
        "supports_digital": False,
        "supports_api_connection": True,
        "connection_type": "oauth",
    }
    names = "eBay Discogs Etsy Shopify Reverb Bandcamp Redbubble TeePublic Society6"
    assert [platform["name"] for platform in platforms] == names.split()
    unconnected = [p["name"] for p in platforms if not p["supports_api_connection"]]
    assert unconnected == ["Redbubble", "TeePublic", "Society6"]
    assert all((p["connection_type"] is None) is (p["name"] in unconnected) for p in platforms)


async def test_a_product_names_the_platforms_of_its_type(api: httpx.AsyncClient) -> None:
    platforms = await got(api, "platforms")
    digital = [platform for platform in platforms if platform["supports_digital"]]
    assert 0 < len(digital) < len(platforms)
    for kind in ("physical", "digital", "digital-report", "nft"):
        product = await create(api, type=kind)
        assert product["available_platforms"] == (platforms if kind == "physical" else digital)


async def test_every_field_that_chooses_tells_its_values_and_their_labels(api: httpx.AsyncClient) -> None:
    choices = await got(api, "choices")
    assert set(choices) == {
        "type",
        "license_type",
        "status",
        "condition_item",
        "condition_container",
        "grade_tier",
        "presence_status",
        "listing_currency",
    }
    assert {"value": "cc0", "label": "CC0"} in choices["license_type"]
    assert {"value": "ready-to-sell", "label": "Ready to Sell"} in choices["status"]
    assert {"value": "vg_plus", "label": "VG+"} in choices["condition_item"]
    assert {"value": "USD", "label": "US Dollar"} in choices["listing_currency"]
    assert [choice["value"] for choice in choices["presence_status"]] == (
        ["active", "draft", "paused", "ended", "removed", "sold", "error"]
    )
    for field, values in choices.items():
        assert len({choice["value"] for choice in values}) == len(values), field
        assert all(choice.keys() == {"value", "label"} and choice["label"] for choice in values), field

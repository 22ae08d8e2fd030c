"""Copies of products, as the API's clients see them."""

from typing import Any

import httpx

from tests.clients import INVENTORY, PRODUCTS

MISSING = (404, b'{"detail":"Not found."}')


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

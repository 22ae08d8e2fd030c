"""What clients see of checks and sales: documents that are never stale, tags that no check makes stale, histories."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from commands.settings import Settings
from domain.presence.listing import Seen
from tests.clients import PRODUCTS, Key, create, create_presence, presences_of
from tests.listings import EBAY, Stall, opened

pytestmark = pytest.mark.anyio
LISTED: dict[str, Any] = {
    "external_listing_id": "111",
    "status": "active",
    "listing_price": "20.00",
    "is_selling_enabled": True,
}


@pytest.fixture
def stall(settings: Settings, key: Key) -> Iterator[Stall]:
    """The key's organization as workers and marketplaces see it."""
    with opened(settings.database_url) as found:
        found.organization = key.organization
        yield found


def checked(stall: Stall, **seen: Any) -> str:
    """Check all of eBay's listings; return when, as documents say it."""
    ebay = found[0][0] if (found := stall.rows("SELECT id FROM connection_list")) else stall.connect(EBAY)
    stall.now = datetime.now(UTC)
    stall.check(ebay, *(Seen(one.presence, **{"status": "active", **seen}) for one in stall.listings(ebay)))
    return stall.now.isoformat().replace("+00:00", "Z")


async def test_after_a_check_no_page_is_an_older_one(api: httpx.AsyncClient, stall: Stall) -> None:
    product = await create(api)
    presence = await create_presence(api, product, **LISTED)
    one = f"{PRODUCTS}{product['uid']}/"
    pages = [PRODUCTS, one, presences_of(product), f"{presences_of(product)}{presence['id']}/"]
    assert presence["last_checked_at"] is None
    for _ in range(2):
        # Twice, so that the second time they are answered from what is kept.
        before = [[await api.get(page) for page in pages] for _ in range(2)][1]
        at = checked(stall)
        for page, old in zip(pages, before, strict=True):
            known = await api.get(page, headers={"If-None-Match": old.headers["ETag"]})
            assert known.status_code == 200, page
            assert f'"last_checked_at":"{at}"' in known.text
            again = await api.get(page, headers={"If-None-Match": known.headers["ETag"]})
            assert again.status_code == 304, page
    assert (await api.get(one)).json()["updated"] == product["updated"]


async def test_a_check_in_between_refuses_nobodys_write(api: httpx.AsyncClient, stall: Stall) -> None:
    product = await create(api)
    presence = await create_presence(api, product, **LISTED)
    for url in (f"{PRODUCTS}{product['uid']}/", f"{presences_of(product)}{presence['id']}/"):
        tag = (await api.get(url)).headers["ETag"]
        at = checked(stall)
        changed = await api.patch(url, json={"title": "Help!", "status": "paused"}, headers={"If-Match": tag})
        assert changed.status_code == 200, changed.text
        assert f'"last_checked_at":"{at}"' in changed.text
        assert changed.headers["ETag"] == (await api.get(url)).headers["ETag"] != tag
        stale = await api.patch(url, json={"title": "Abbey Road", "status": "active"}, headers={"If-Match": tag})
        assert stale.status_code == 412


async def test_what_a_check_found_is_another_version(api: httpx.AsyncClient, stall: Stall) -> None:
    product = await create(api)
    presence = await create_presence(api, product, **LISTED)
    url = f"{presences_of(product)}{presence['id']}/"
    tag = (await api.get(url)).headers["ETag"]
    checked(stall, price=Decimal("21.00"), currency="USD")
    assert (await api.patch(url, json={"status": "paused"}, headers={"If-Match": tag})).status_code == 412
    found = (await api.get(url)).json()
    assert (found["listing_price"], found["listing_price_usd"]) == ("21.00", "21.00")
    assert found.keys() == presence.keys()
    assert (await api.get(f"{PRODUCTS}{product['uid']}/")).json()["price_computed_usd"] == "21.00"


async def test_history_and_feed_tell_in_the_apis_words_what_marketplaces_did(
    api: httpx.AsyncClient, stall: Stall
) -> None:
    product = await create(api)
    item = (await api.post("/api/v1/inventory/", json={"product_uid": product["uid"], "status": "listed"})).json()
    presence = await create_presence(api, product, **LISTED)
    checked(stall, price=Decimal("21.00"), currency="USD")
    ebay = stall.rows("SELECT id FROM connection_list")[0][0]
    stall.sell(ebay, "E-1")
    stall.sell(ebay, "E-2")
    url = f"{presences_of(product)}{presence['id']}/history/"
    conflict, sold, observed, _ = (await api.get(url)).json()["results"]
    assert observed["changes"]["listing_price"] == {"from": "20.00", "to": "21.00"}
    assert observed["actor"] == {"uid": None, "name": "system"}
    assert sold["changes"] == {"status": {"from": "active", "to": "sold"}}
    assert conflict["changes"] == {}
    feed = (await api.get("/api/v1/audit/events/")).json()["results"]
    data = {event["event"]: event["data"] for event in feed}
    assert data["presence.sold"] == {
        "order": "E-1",
        "order_line": "1",
        "sale_price": "20.00",
        "sale_currency": "USD",
        "sold_at": data["presence.sold"]["sold_at"],
        "inventory_uid": item["uid"],
        "old_status": "active",
    }
    assert data["presence.sale-conflicted"]["first_order"] == "E-1"

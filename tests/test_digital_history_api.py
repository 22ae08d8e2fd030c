"""Histories of what buyers have to do with: purchases and digital assets, and both as they were."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from commands.asset import DeleteAsset, ReviseAsset
from commands.bus import Bus
from commands.purchase import EraseBuyer, NoteMailFailed, NoteMailSent
from commands.settings import Settings
from commands.work import Context
from domain import ids
from tests.clients import PRODUCTS, Key, make_key, serving
from tests.selling import BUYER, PURCHASES, add_asset, bus_of, digital_product, fulfill
from tests.test_history_api import GONE, history, told

pytestmark = pytest.mark.anyio

ASSETS = "/api/v1/digital/assets/"


@pytest.fixture
async def reader(plain_settings: Settings, key: Key, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same organization whose key may only read."""
    only = make_key(database_url, scopes=("read",), of=key.organization)
    async with serving(plain_settings, only.text) as client:
        yield client


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    with bus_of(database_url) as found:
        yield found


@pytest.fixture
def context(key: Key) -> Context:
    return Context(key.organization, "system", "worker-1")


async def test_a_purchases_history_says_what_became_of_it_in_the_terms_of_its_object(
    api: httpx.AsyncClient, bus: Bus, context: Context
) -> None:
    product = digital_product(bus, context.organization, "a.zip", title="Drum Kit")
    bought = await fulfill(api, product, buyer_name="Ana Sousa", external_order_id="7", max_downloads=3)
    path = f"{PURCHASES}{bought['uid']}/"
    id = ids.parse(ids.PURCHASE, bought["uid"])
    assert id is not None
    bus.execute(NoteMailFailed(id=id, number=1, reason="Refused (550).", is_final=True, jitter=0.5), context)
    await api.post(f"{path}resend-email/")
    bus.execute(NoteMailSent(id=id, number=2), context)
    before = (await api.get(path)).json()
    revoked = (await api.post(f"{path}revoke/", headers={"X-Request-Id": "revoke-1"})).json()
    entries = await history(api, path)
    assert [entry["event"] for entry in entries] == [
        "purchase.revoked",
        "purchase.email-sent",
        "purchase.email-requested",
        "purchase.email-failed",
        "purchase.created",
    ]
    newest, sent, _, failed, created = entries
    assert (newest["request_id"], newest["actor"]["name"]) == ("revoke-1", "test")
    assert newest["changes"] == {"status": {"from": "sent", "to": "revoked"}}
    assert (newest["object"], newest["time"]) == ({"type": "purchase", "uid": bought["uid"]}, revoked["updated"])
    assert (sent["actor"], sent["request_id"]) == ({"uid": None, "name": "system"}, "worker-1")
    assert sent["changes"]["email.status"] == {"from": "pending", "to": "sent"}
    assert sent["changes"]["email.sent_at"] == {"from": None, "to": before["email"]["sent_at"]}
    assert failed["changes"] == {
        "status": {"from": "pending", "to": "failed"},
        "email.status": {"from": "pending", "to": "failed"},
        "email.attempts": {"from": 0, "to": 1},
        "email.last_error": {"from": None, "to": "Refused (550)."},
    }
    made = {name: change["to"] for name, change in created["changes"].items()}
    assert made["assets"] == bought["assets"]
    assert (made["product_uid"], made["title"], made["external_order_id"], made["max_downloads"]) == (
        product, "Drum Kit", "7", 3,
    )  # fmt: skip
    # Who bought, the link's token and where the files lie are nobody's to read here.
    for private in (BUYER, "Sousa", "token", "blob", "buyer"):
        assert private not in json.dumps(entries), private


async def test_a_purchase_as_it_was_says_who_bought_as_it_is_known_now(
    api: httpx.AsyncClient, bus: Bus, context: Context
) -> None:
    bought = await fulfill(api, digital_product(bus, context.organization, "a.zip"), buyer_name="Ana Sousa")
    path = f"{PURCHASES}{bought['uid']}/"
    then = f"{path}?as_of={bought['created']}"
    await api.post(f"{path}revoke/")
    assert (await api.get(path)).json()["status"] == "revoked"
    shown = await api.get(then)
    assert told(shown) == (200, bought)
    assert shown.headers["etag"].startswith('"as-of-')
    position = (await history(api, path))[0]["position"]
    id = ids.parse(ids.PURCHASE, bought["uid"])
    assert id is not None
    bus.execute(EraseBuyer(id=id), context)
    assert told(await api.get(then)) == (200, {**bought, "buyer_email": None, "buyer_name": None})
    assert (await api.get(f"{path}?as_of={position}")).json()["status"] == "revoked"
    assert (await history(api, path))[0]["event"] == "purchase.buyer-erased"
    assert told(await api.get(f"{path}?as_of={position - 2}")) == GONE
    assert (await api.get(f"{path}?as_of=soon")).status_code == 400


async def test_an_assets_history_outlives_it_for_administrators(
    api: httpx.AsyncClient, reader: httpx.AsyncClient, bus: Bus, context: Context
) -> None:
    product = ids.parse(ids.PRODUCT, digital_product(bus, context.organization, "a.zip"))
    assert product is not None
    id = add_asset(bus, context, product, "b.zip")
    path = f"{ASSETS}{ids.uid(ids.ASSET, id)}/"
    first = (await api.get(path)).json()
    await api.patch(path, json={"display_name": "Stems"})
    revised, created = await history(api, path)
    assert revised["changes"] == {"display_name": {"from": None, "to": "Stems"}}
    assert created["changes"]["size"] == {"from": None, "to": 12}
    assert created["object"] == {"type": "asset", "uid": first["uid"]}
    assert "blob" not in json.dumps([revised, created])
    assert told(await reader.get(f"{path}?as_of={created['position']}")) == (200, first)
    bus.execute(DeleteAsset(id, product), context)
    assert told(await api.get(path)) == GONE
    assert (await history(api, path))[0]["event"] == "asset.deleted"
    assert told(await api.get(f"{path}?as_of={created['position']}")) == (200, first)
    for query in ("history/", f"?as_of={created['position']}"):
        assert told(await reader.get(f"{path}{query}")) == GONE


async def test_what_was_made_primary_instead_is_in_both_histories(
    api: httpx.AsyncClient, bus: Bus, context: Context
) -> None:
    uid = digital_product(bus, context.organization, "a.zip")
    product = ids.parse(ids.PRODUCT, uid)
    assert product is not None
    second = add_asset(bus, context, product, "b.zip")
    bus.execute(ReviseAsset(id=second, product=product, values={"is_primary": True}, errors={}), context)
    listed = (await api.get(f"{PRODUCTS}{uid}/digital-assets/")).json()
    newest = [(await history(api, f"{ASSETS}{asset['uid']}/"))[0] for asset in listed]
    assert sorted(entry["changes"]["is_primary"]["to"] for entry in newest) == [False, True]


async def test_what_is_another_organizations_has_no_history(
    api: httpx.AsyncClient, plain_settings: Settings, bus: Bus, context: Context, database_url: str
) -> None:
    bought = await fulfill(api, digital_product(bus, context.organization, "a.zip"))
    paths = [f"{PURCHASES}{bought['uid']}/", f"{ASSETS}{bought['assets'][0]['uid']}/"]
    async with serving(plain_settings, make_key(database_url, name="Other").text) as other:
        for path in (*paths, f"{PURCHASES}pur_junk/", f"{ASSETS}asset_junk/"):
            for query in ("history/", f"?as_of={bought['created']}"):
                found: tuple[int, Any] = told(await other.get(f"{path}{query}"))
                assert found == GONE, path
    # One kind's uid is no other kind's.
    body = bought["uid"].removeprefix(ids.PURCHASE)
    assert told(await api.get(f"{ASSETS}{ids.ASSET}{body}/history/")) == GONE

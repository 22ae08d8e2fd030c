"""A stream with an event that this version does not know is parked: it alone, in sight, until it can be folded."""

import json
from uuid import UUID

import httpx
import pytest

from commands.bus import Bus
from commands.product import ReviseProduct
from commands.settings import Settings
from commands.store import Store
from commands.work import Context
from domain import ids
from domain.errors import UnfoldableEvent
from projections.inline import inline_projections
from projections.parked import Parking
from tests.clients import INVENTORY, PRODUCTS, Key, create, create_item
from tests.projecting import heal, poison
from tests.test_cli_projections import deadwax

pytestmark = pytest.mark.anyio


def id_of(product: dict[str, object]) -> UUID:
    id = ids.parse(ids.PRODUCT, str(product["uid"]))
    assert id is not None
    return id


async def test_commands_on_it_are_refused_and_all_else_goes_on(
    api: httpx.AsyncClient, plain_settings: Settings, database_url: str
) -> None:
    sick, well = await create(api, title="Sick"), await create(api, title="Well")
    item = await create_item(api, well)
    assert (await api.get("/readyz")).json()["checks"]["streams"] == "ok"
    stream = id_of(sick)
    position = poison(database_url, stream)
    path = f"{PRODUCTS}{sick['uid']}/"
    assert (await api.patch(path, json={"title": "Changed"})).status_code == 503
    with Parking(database_url) as parking:
        assert [(one.stream, one.position) for one in parking.listed()] == [(stream, position)]
    for refused in (
        await api.patch(path, json={"title": "Changed"}),
        await api.delete(path),
        await api.get(path, params={"as_of": position}),
    ):
        assert refused.status_code == 503, refused.text
        assert str(position) in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) > 0
    assert (await api.get(path)).json()["title"] == "Sick"
    assert (await api.get(f"{path}history/")).status_code == 200
    assert (await api.get(PRODUCTS)).json()["count"] == 2
    assert (await api.patch(f"{PRODUCTS}{well['uid']}/", json={"title": "Better"})).status_code == 200
    assert (await api.patch(f"{INVENTORY}{item['uid']}/", json={"status": "listed"})).status_code == 200
    ready = await api.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["checks"]["streams"] == f"1 parked: {stream} at position {position}"
    assert "deadwax_parked_streams 1.0\n" in (await api.get("/metrics")).text
    told = json.loads(deadwax(plain_settings, "status", "--json", "--retry").stdout)
    [parked] = told["parked"]
    assert (parked["stream"], parked["position"], told["unparked"]) == (str(stream), position, [])
    assert f"parked: {stream} at position {position}" in deadwax(plain_settings, "status").stdout
    heal(database_url, [position])
    told = json.loads(deadwax(plain_settings, "status", "--json", "--retry").stdout)
    assert (told["parked"], told["unparked"]) == ([], [str(stream)])
    assert (await api.patch(path, json={"title": "Changed"})).status_code == 200
    assert (await api.get("/readyz")).json()["checks"]["streams"] == "ok"
    assert "deadwax_parked_streams 0.0\n" in (await api.get("/metrics")).text


async def test_a_past_that_cannot_be_folded_is_parked_by_who_asks_for_it(
    api: httpx.AsyncClient, database_url: str
) -> None:
    product = await create(api)
    position = poison(database_url, id_of(product))
    asked = await api.get(f"{PRODUCTS}{product['uid']}/", params={"as_of": position})
    assert asked.status_code == 503
    with Parking(database_url) as parking:
        assert [one.position for one in parking.listed()] == [position]


async def test_an_event_of_a_known_topic_with_a_body_of_another_form_parks_too(
    api: httpx.AsyncClient, key: Key, database_url: str
) -> None:
    product = id_of(await create(api))
    position = poison(database_url, product, "product.price-overridden.v1")
    store = Store(database_url, inline_projections(), pool_size=1)
    with pytest.raises(UnfoldableEvent, match=f"Event {position} of stream {product}"):
        Bus(store).execute(ReviseProduct(id=product, values={}), Context(key.organization, "key_1", "request-1"))
    store.close()
    with Parking(database_url) as parking:
        assert [one.stream for one in parking.listed()] == [product]

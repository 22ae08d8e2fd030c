"""What was answered at a moment is answered again as of it, byte for byte, and changes told one by one add up."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from commands.bus import Bus
from commands.store import Store
from domain.event import DomainEvent
from projections import inventory, presence
from projections.as_of import Moment, item_at, presence_at, product_at, products_at
from projections.base import Reader
from projections.documents import encode, fill
from projections.history import history
from projections.inline import inline_projections
from projections.product import detail
from projections.product_page import ProductQuery, page
from projections.terms import NOUNS, spelled
from tests.shop import Shop

HERE = "http://here"
OFTEN = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, inline_projections())
    yield Bus(store)
    store.close()


class Answered(NamedTuple):
    """What the API answered at a moment: the list's first page, and every object by its id (a presence by its product
    and number)."""

    position: int
    time: datetime
    listed: str
    products: dict[UUID, str]
    items: dict[UUID, str]
    presences: dict[tuple[UUID, int], str]


async def answers(reader: Reader, shop: Shop, organization: UUID) -> Answered:
    found = await reader.row(
        b"SELECT max(position), max(time), count(*) FROM audit_event WHERE organization = %b", [organization]
    )
    assert found is not None
    position, time, _ = found
    listed = await page(reader, organization, ProductQuery(page_size=100), len(shop.products))
    products, items, presences = {}, {}, {}
    for id in shop.products:
        row = await detail(reader, organization, id)
        assert row is not None
        products[id] = row.document
    for id in shop.items:
        items[id] = await inventory.detail(reader, organization, id) or "missing"
    numbers = await reader.rows(b"SELECT product, number FROM presence_list WHERE organization = %b", [organization])
    for product, number in numbers:
        shown = await presence.detail(reader, organization, product, number)
        assert shown is not None
        presences[product, number] = shown.document
    return Answered(position, time, listed.results, products, items, presences)


def filled(document: str | None) -> bytes | None:
    return None if document is None else fill(document, HERE)


def test_what_was_answered_is_answered_again_as_of_then(bus: Bus, database_url: str) -> None:
    @given(st.data())
    @OFTEN
    def check(data: st.DataObject) -> None:
        organization = uuid_utils.compat.uuid7()
        shop = Shop(bus, organization)
        asyncio.run(_check(data, shop, organization))

    async def _check(data: st.DataObject, shop: Shop, organization: UUID) -> None:
        async with Reader(database_url, size=1) as reader:
            moments: list[Answered] = []
            shop.product(title="First", type="physical")
            for _ in range(data.draw(st.integers(6, 14))):
                shop.act(data.draw)
                moments.append(await answers(reader, shop, organization))
            for answered in moments:
                for moment in (Moment(position=answered.position), Moment(time=answered.time)):
                    await _compare(reader, organization, moment, answered, moments)

    async def _compare(
        reader: Reader, organization: UUID, moment: Moment, answered: Answered, moments: list[Answered]
    ) -> None:
        listed = await products_at(reader, organization, moment, descends=True, page=1, size=100)
        assert filled(listed.results) == filled(answered.listed)
        for id in {id for other in moments for id in other.products}:
            then = await product_at(reader, organization, id, moment)
            assert filled(then and then.document) == filled(answered.products.get(id))
        for id in {id for other in moments for id in other.items}:
            then = await item_at(reader, organization, id, moment)
            assert filled(then and then.document) == filled(answered.items.get(id))
        for key in {key for other in moments for key in other.presences}:
            then = await presence_at(reader, organization, *key, moment)
            assert filled(then and then.document) == filled(answered.presences.get(key))

    check()


def test_the_changes_told_of_an_object_add_up_to_its_state(bus: Bus, database_url: str) -> None:
    @given(st.data())
    @OFTEN
    def check(data: st.DataObject) -> None:
        organization = uuid_utils.compat.uuid7()
        shop = Shop(bus, organization)
        for _ in range(data.draw(st.integers(6, 20))):
            shop.act(data.draw)
        with psycopg.connect(database_url) as connection:
            streams = [
                row[0]
                for row in connection.execute(
                    "SELECT DISTINCT originator FROM audit_event WHERE organization = %s", [organization]
                )
            ]
        asyncio.run(_check(organization, streams))

    async def _check(organization: UUID, streams: list[UUID]) -> None:
        async with Reader(database_url, size=1) as reader:
            for id in streams:
                stream = bus.store.load(id, list[DomainEvent])
                kind = stream[0].TOPIC.partition(".")[0]
                noun = NOUNS[kind]
                if noun.evolve is None:
                    continue
                told = await history(reader, organization, kind, id, 1, 100, with_children=False)
                assert told is not None
                entries = list(reversed(json.loads(b"[%b]" % fill(told.results, HERE))))
                assert [entry["object_version"] for entry in entries] == [e.originator_version for e in stream]
                shown: dict[str, Any] = {}
                state = None
                for entry, event in zip(entries, stream, strict=True):
                    for name, change in entry["changes"].items():
                        assert shown.get(name) == change["from"]
                        shown[name] = change["to"]
                    state = noun.evolve(state, event)
                    if state is not None:
                        wanted = {term.name: spelled(term, getattr(state, field)) for field, term in noun.shown}
                        assert {k: v for k, v in shown.items() if v is not None} == {
                            k: v for k, v in json.loads(encoded(wanted)).items() if v is not None
                        }
                assert told.is_gone is (state is None)

    check()


def encoded(value: Any) -> bytes:
    return fill(encode(value).decode(), HERE)

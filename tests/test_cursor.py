"""Walks from place to place over a list that others write to, against a list in Python."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cmp_to_key, partial
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from uuid_utils.compat import uuid7

from api.cursors import spelled
from commands.bus import Bus
from commands.inventory import CreateItem, DeleteItem
from commands.product import CreateProduct, DeleteProduct, ReviseProduct
from commands.store import Store
from commands.work import Context
from domain import ids
from projections.base import Reader
from projections.inline import inline_projections
from projections.inventory_page import ORDERS as INVENTORY_ORDERS
from projections.inventory_page import InventoryQuery
from projections.inventory_page import walk as walk_inventory
from projections.keyset import Place
from projections.pages import Order
from projections.product_page import ORDERS, ProductQuery, walk
from tests.clients import INVENTORY, PRODUCTS, create, create_item
from tests.scenario import ORGANIZATION

CONTEXT = Context(ORGANIZATION, "system", "request-1")
TITLES = ["Abbey Road", "abbey road", "Zebra", "", None]
ARTISTS = ["Can", "björk", None]
INVALID = (404, b'{"detail":"Invalid cursor."}')

Row = dict[str, Any]


class Shop:
    """Products and items of one organization, written as hypothesis says, and read back as plain rows."""

    def __init__(self, database_url: str) -> None:
        self.store = Store(database_url, inline_projections(), pool_size=1)
        self.loop = asyncio.new_event_loop()
        self.reader = Reader(database_url, size=1)
        self.loop.run_until_complete(self.reader.__aenter__())
        self.tables = psycopg.connect(database_url, autocommit=True, row_factory=dict_row)
        self._bus = Bus(self.store)

    def close(self) -> None:
        self.loop.run_until_complete(self.reader.__aexit__(None, None, None))
        self.loop.close()
        self.tables.close()
        self.store.close()

    def rows(self, table: str) -> list[Row]:
        return self.tables.execute(f"SELECT * FROM {table}".encode()).fetchall()

    def write(self, kind: str, at: int, value: int) -> None:
        products = sorted(row["id"] for row in self.rows("product_list"))
        items = sorted(row["id"] for row in self.rows("inventory_list"))
        product = products[at % len(products)] if products else None
        price = None if value % 3 else Decimal(value % 5 + 1)
        command: Any = None
        if kind == "create" or product is None:
            values = {"title": TITLES[value % 5] or "x", "type": "physical", "price_override_usd": price}
            command = CreateProduct(values=values, artist_name=ARTISTS[value % 3])
        elif kind == "revise":
            values = {"title": TITLES[value % 5], "price_override_usd": price}
            command = ReviseProduct(id=product, values=values, artist_name=ARTISTS[value % 3])
        elif kind == "delete":
            command = DeleteProduct(product)
        elif kind == "stock":
            status, grade = ("listed", "received", "sold")[value % 3], (None, "mint", "poor")[value % 3]
            values = {"status": status, "condition_item": grade, "manual_sku": TITLES[value % 5]}
            command = CreateItem(product=product, values=values | {"price_total_usd": price}, id=uuid7())
        elif items:
            command = DeleteItem(id=items[at % len(items)])
        if command is not None:
            self._bus.execute(command, CONTEXT)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    shop = Shop(database_url)
    for number in range(12):
        shop.write("create", 0, number)
        shop.write("stock", number, number)
    yield shop
    shop.close()


def compared(orders: Sequence[Order], left: Row, right: Row) -> int:
    for order in orders:
        a, b = left[order.column], right[order.column]
        if a != b:
            if a is None or b is None:
                return 1 if a is None else -1
            return (1 if a > b else -1) * (-1 if order.descends else 1)
    return 1 if left["id"] > right["id"] else -1 if left["id"] < right["id"] else 0


WRITES = st.tuples(
    st.sampled_from(["create", "revise", "delete", "stock", "unstock"]), st.integers(0, 40), st.integers(0, 14)
)
PLANS = st.lists(st.lists(WRITES, max_size=3), min_size=1, max_size=6)


def check_walk(shop: Shop, table: str, orders: Sequence[Order], asked: Any, plan: list[list[Any]]) -> None:
    """Walk to the end, writing in between: each step is what follows the row before it, as of then."""
    step: Any = walk if table == "product_list" else walk_inventory
    before = {row["id"]: row for row in shop.rows(table)}
    seen: list[Row] = []
    after: Place | None = None
    writes = iter(plan)
    while True:
        rows = sorted(shop.rows(table), key=cmp_to_key(partial(compared, orders)))
        left = [row for row in rows if not seen or compared(orders, row, seen[-1]) > 0]
        counted = [len(rows)] if table == "product_list" else []
        asked = type(asked)(ordering=asked.ordering, page_size=asked.page_size, is_walk=True, after=after)
        found = shop.loop.run_until_complete(step(shop.reader, ORGANIZATION, asked, *counted))
        expected = left[: asked.page_size]
        shown = [json.loads(document.split(",", 1)[0] + "}")["uid"] for document in found.results]
        assert shown == [uid_of(row) for row in expected]
        assert found.total == len(rows)
        seen += expected
        after = found.following
        assert (after is None) == (len(left) <= asked.page_size)
        if after is None:
            break
        for write in next(writes, []):
            shop.write(*write)
    now = {row["id"]: row for row in shop.rows(table)}
    keys = [order.column for order in orders]
    still = {id for id, row in before.items() if id in now and all(row[key] == now[id][key] for key in keys)}
    shown = [row["id"] for row in seen]
    # What was moved and moved back counts as untouched here, so only few of such short walks may tell.
    assert all(shown.count(id) <= 1 for id in still if before[id]["revision"] == now[id]["revision"])
    assert all(id in shown for id in still if before[id]["revision"] == now[id]["revision"])


def uid_of(row: Row) -> str:
    return ids.uid(ids.INVENTORY if "rest" in row else ids.PRODUCT, row["id"])


def test_a_walk_over_products_meets_what_nobody_touches_once_and_in_order(shop: Shop) -> None:
    @given(st.lists(st.sampled_from(sorted(ORDERS)), min_size=1, max_size=3, unique=True), st.integers(1, 7), PLANS)
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(names: list[str], size: int, plan: list[list[Any]]) -> None:
        asked = ProductQuery(ordering=tuple(names), page_size=size)
        check_walk(shop, "product_list", [ORDERS[name] for name in names], asked, plan)

    check()


def test_a_walk_over_inventory_does_so_too(shop: Shop) -> None:
    orders = st.lists(st.sampled_from(sorted(INVENTORY_ORDERS)), min_size=1, max_size=2, unique=True)

    @given(orders, st.integers(1, 7), PLANS)
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(names: list[str], size: int, plan: list[list[Any]]) -> None:
        asked = InventoryQuery(ordering=tuple(names), page_size=size)
        check_walk(shop, "inventory_list", [INVENTORY_ORDERS[name] for name in names], asked, plan)

    check()


class Explaining(Reader):
    """Also notes how many pages of tables and indexes each statement looked at."""

    looked_at: int

    async def rows(self, statement: bytes, parameters: Any = (), *, keep: bool = True) -> list[tuple[Any, ...]]:
        explained = await super().rows(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, parameters, keep=False)
        plan = explained[0][0][0]["Plan"]
        self.looked_at = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return await super().rows(statement, parameters, keep=keep)


MANY = """
INSERT INTO product_list (id, organization, revision, type, title_key, artist_key, created, updated, price, total_count,
    listed, tags, search)
SELECT gen_random_uuid(), %(of)s, 1, 'physical', CASE WHEN n %% 9 > 0 THEN 'title ' || n %% 5000 END,
    CASE WHEN n %% 3 > 0 THEN 'artist ' || n %% 300 END, now() - n * interval '1 s', now() - n * interval '2 s',
    CASE WHEN n %% 4 > 0 THEN n %% 3000 END, greatest(0, n %% 11 - 7), n %% 6 = 0, '', ''
FROM generate_series(1, 20000) AS n;
"""


def test_a_step_from_the_middle_looks_at_little_whatever_the_order(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute(MANY, {"of": ORGANIZATION})
        connection.execute("INSERT INTO product_document (id, document) SELECT id, id::text FROM product_list")
        connection.execute("VACUUM ANALYZE product_list, product_document")
        middle = {
            name: connection.execute(
                f"SELECT * FROM product_list ORDER BY {order.terms}, id LIMIT 1 OFFSET 12000".encode()
            ).fetchone()
            for name, order in ORDERS.items()
        }

    async def look() -> dict[str, int]:
        looked_at = {}
        async with Explaining(database_url, size=1) as reader:
            for name, row in middle.items():
                assert row is not None
                key = row[ORDERS[name].column]
                after = Place((str(key) if isinstance(key, Decimal) else key,), row["id"])
                asked = ProductQuery(ordering=(name,), is_walk=True, after=after)
                assert len((await walk(reader, ORGANIZATION, asked, 20000)).results) == 15
                looked_at[name] = reader.looked_at
        return looked_at

    looked_at = asyncio.run(look())
    assert max(looked_at.values()) < 250, looked_at


@pytest.fixture
async def shelf(api: httpx.AsyncClient) -> httpx.AsyncClient:
    for number in range(7):
        product = await create(api, title=f"Album {number}", artist_name=[None, "Can"][number % 2])
    for _ in range(3):
        await create_item(api, product)
    return api


async def cursor_of(api: httpx.AsyncClient, url: str) -> str:
    found = (await api.get(url)).json()["next"]
    return str(httpx.URL(found).params["cursor"])


@pytest.mark.anyio
async def test_the_links_lead_to_the_end_while_products_come_and_go(shelf: httpx.AsyncClient) -> None:
    first = (await shelf.get(f"{PRODUCTS}?search=album&cursor=&page_size=3&ordering=artist__name,-title")).json()
    assert (first["count"], first["previous"]) == (7, None)
    assert first["next"].startswith(
        "http://testserver/api/v1/products/?search=album&page_size=3&ordering=artist__name,-title&cursor="
    )
    for product in first["results"][1:]:
        await shelf.delete(f"{PRODUCTS}{product['uid']}/")
    await create(shelf, title="Album 9", artist_name="Abba")
    second = (await shelf.get(first["next"])).json()
    assert second["count"] == 6
    third = (await shelf.get(second["next"])).json()
    titles = [[product["title"][-1] for product in found["results"]] for found in (first, second, third)]
    assert titles == [["5", "3", "1"], ["6", "4", "2"], ["0"]]
    assert third["next"] is third["previous"] is None


@pytest.mark.anyio
async def test_a_cursor_goes_before_a_page_and_lets_the_size_change(shelf: httpx.AsyncClient) -> None:
    cursor = await cursor_of(shelf, f"{PRODUCTS}?cursor=&page_size=2&page=junk")
    found = (await shelf.get(f"{PRODUCTS}?cursor={cursor}&page_size=100&page=7")).json()
    assert (len(found["results"]), found["next"]) == (5, None)
    assert "page=" not in (await shelf.get(f"{PRODUCTS}?cursor=&page=2&page_size=1")).json()["next"].replace(
        "page_size=1", ""
    )


@pytest.mark.anyio
async def test_inventory_is_walked_the_same_way(shelf: httpx.AsyncClient) -> None:
    cursor = await cursor_of(shelf, f"{INVENTORY}?cursor=&page_size=2&ordering=-status")
    found = (await shelf.get(f"{INVENTORY}?cursor={cursor}&page_size=2&ordering=-status")).json()
    assert (found["count"], len(found["results"]), found["next"]) == (3, 1, None)


@pytest.mark.anyio
async def test_a_walk_has_an_entity_tag_like_a_page(shelf: httpx.AsyncClient) -> None:
    url = f"{PRODUCTS}?cursor={await cursor_of(shelf, f'{PRODUCTS}?cursor=&page_size=2')}"
    tag = (await shelf.get(url)).headers["etag"]
    assert (await shelf.get(url, headers={"If-None-Match": tag})).status_code == 304
    await create(shelf)
    assert (await shelf.get(url, headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("cursor", ["x", "AAAAAAAA", "....", "%C3%A9", "%00", "A" * 5000, "cD0yMDI2LTAxLTAx"])
async def test_junk_is_no_cursor(shelf: httpx.AsyncClient, cursor: str) -> None:
    for path in (PRODUCTS, INVENTORY):
        response = await shelf.get(f"{path}?cursor={cursor}")
        assert (response.status_code, response.content) == INVALID


@pytest.mark.anyio
async def test_a_cursor_is_for_one_list_with_its_filters_and_orders(shelf: httpx.AsyncClient) -> None:
    cursor = await cursor_of(shelf, f"{PRODUCTS}?cursor=&page_size=2&search=album")
    assert (await shelf.get(f"{PRODUCTS}?search=album&cursor={cursor}")).status_code == 200
    for others in ("search=albums", "", "search=album&ordering=title", "search=album&has_inventory=false"):
        response = await shelf.get(f"{PRODUCTS}?{others}&cursor={cursor}")
        assert (response.status_code, response.content) == INVALID
    plain = await cursor_of(shelf, f"{PRODUCTS}?cursor=&page_size=2")
    for wrong in (f"{INVENTORY}?cursor={plain}", f"{PRODUCTS}?cursor={plain}A", f"{PRODUCTS}?cursor={plain}%3D"):
        assert (await shelf.get(wrong)).status_code == 404


@pytest.mark.anyio
async def test_what_is_written_into_a_cursor_by_hand_breaks_nothing(shelf: httpx.AsyncClient) -> None:
    asked = ProductQuery(ordering=("price_low_high", "title", "most_inventory"))
    good = ["1.00", "a", 1]
    bad: list[list[Any]] = [
        ["1e999", "a", 1],
        ["NaN", "a", 1],
        [1.5, "a", 1],
        ["1.00", "a\0", 1],
        ["1.00", 1, 1],
        ["1.00", "a", 2**40],
        ["1.00", "a", "1"],
        ["1.00", "a"],
        ["1.00", "a", 1, 1],
    ]
    query = f"{PRODUCTS}?ordering=price_low_high,title,most_inventory&cursor="
    for values in (good, [None, None, None]):
        response = await shelf.get(query + spelled(asked, Place(tuple(values), UUID(int=1))))
        assert response.status_code == 200, response.text
    for values in bad:
        response = await shelf.get(query + spelled(asked, Place(tuple(values), UUID(int=1))))
        assert (response.status_code, response.content) == INVALID, values

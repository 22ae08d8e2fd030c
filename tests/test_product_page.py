"""The list's filters, orders and pages against a model that is a Python list."""

import asyncio
import json
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.bus import Bus
from commands.product import CreateProduct, DeleteProduct, ReviseProduct
from commands.store import Store
from commands.work import Context
from projections.base import Reader
from projections.catalogue import CatalogueProjection
from projections.documents import fill
from projections.pages import Page
from projections.product_page import DEFAULT_ORDER, ORDERS, ProductQuery, page
from tests.scenario import ORGANIZATION

CONTEXT = Context(ORGANIZATION, "system", "request-1")
TITLES = ["Abbey Road", "abbey lane", "Zebra", "Álbum", "help!", "Help", "100% Hits", "", None]
ARTISTS = ["The Beatles", "björk", "Can", "can you", None]
TAGS = ["rock", "Rock & Roll", "pop", "100%", "under_score", "Jazz"]
# Folded as Unicode does, more than one index entry holds, and a part of others.
MORE_TAGS = [("STRASSE", "straße 7"), tuple(f"{n} {'long ' * 18}Überjazz" for n in range(12)), ("a\\b", "ROC", "R%k")]
TYPES = ["physical", "digital", "nft", "digital-report"]
SOURCES = ("title", "catalog_number", "marketplace_description", "license_type", "license_notes")

Model = list[dict[str, Any]]


@pytest.fixture
def catalogue(database_url: str) -> tuple[str, Model]:
    """Sixty products of one organization and a few of another, with the model of the first."""
    store = Store(database_url, [CatalogueProjection()])
    bus = Bus(store)
    tables = psycopg.connect(database_url, autocommit=True)
    model: Model = []
    for n in range(60):
        values: dict[str, Any] = {
            "title": TITLES[n % 9] or "x",
            "type": TYPES[n % 4],
            "tags": tuple(TAGS[i] for i in range(6) if n >> i & 1) + (MORE_TAGS[n % 3] if n % 4 == 0 else ()),
            "price_override_usd": None if n % 3 == 0 else Decimal(n % 7) + 1,
            "catalog_number": f"PCS {n}" if n % 2 else None,
            "license_notes": "Été in Paris" if n % 5 == 0 else None,
        }
        artist = ARTISTS[n % 5]
        saved = bus.execute(CreateProduct(values=values, artist_name=artist), CONTEXT)
        id = next(id for id, text in saved.documents.items() if '"uid":"prod_' in text)
        if n % 9 >= 7:
            bus.execute(ReviseProduct(id=id, values={"title": TITLES[n % 9]}), CONTEXT)
        if n % 20 == 19:
            bus.execute(DeleteProduct(id), CONTEXT)
        else:
            [[document]] = tables.execute("SELECT document FROM product_document WHERE id = %s", [id]).fetchall()
            model.append(json.loads(fill(document, "")))
    for n in range(3):
        bus.execute(
            CreateProduct(values={"title": "Abbey Road", "type": "nft"}), CONTEXT._replace(organization=UUID(int=n + 1))
        )
    tables.close()
    store.close()
    return database_url, model


def ask(database_url: str, *queries: ProductQuery, count: int) -> list[Page]:
    async def run() -> list[Page]:
        async with Reader(database_url, size=1) as reader:
            return [await page(reader, ORGANIZATION, query, count) for query in queries]

    return asyncio.run(run())


def folded(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def words_of(product: dict[str, Any]) -> list[str]:
    texts = [product[name] for name in SOURCES] + product["tags"] + [product["artist"] and product["artist"]["name"]]
    spaced = [folded(text).translate({ord(c): " " for c in "!&%_-"}).split() for text in texts if text]
    number = product["catalog_number"]
    return [word for words in spaced for word in words] + ([folded(number).replace(" ", "")] if number else [])


def matches(product: dict[str, Any], query: ProductQuery) -> bool:
    found = words_of(product)
    asked = folded(query.search or "").split()
    return (
        all(any(word.startswith(prefix) for word in found) for prefix in asked)
        and (not query.types or product["type"] in query.types)
        and (not query.tags or any(a.casefold() in tag.casefold() for a in query.tags for tag in product["tags"]))
        and not query.statuses
        and query.has_inventory is not True
        and query.has_available_inventory is not True
        and query.uploadable_to_redbubble is not True
    )


KEYS: dict[str, Any] = {
    "title": lambda p: None if p["title"] is None else p["title"].casefold(),
    "created": lambda p: p["created"],
    "updated": lambda p: p["updated"],
    "artist__name": lambda p: p["artist"] and p["artist"]["name"].casefold(),
    "price": lambda p: p["price_override_usd"] and Decimal(p["price_override_usd"]),
}
NAMED = {"price_high_low": ("price", True), "price_low_high": ("price", False)}


def ordered(products: Model, ordering: Sequence[str]) -> Model:
    result = sorted(products, key=lambda p: p["uid"])
    for name in reversed(ordering):
        key, descending = NAMED.get(name, (name.removeprefix("-"), name.startswith("-")))
        value = KEYS.get(key, lambda _: 0)
        missing = [p for p in result if value(p) is None]
        present = sorted((p for p in result if value(p) is not None), key=value, reverse=descending)
        result = present + missing
    return result


_queries = st.builds(
    ProductQuery,
    search=st.sampled_from(
        [None, "abbey", "abb ROAD", "bjork", "pcs", "pcs1", "1", "ete paris", "hel", "nowhere", "rock"]
    ),
    types=st.lists(st.sampled_from(TYPES), max_size=2).map(tuple),
    tags=st.lists(
        st.sampled_from(
            ["rock", "ROCK &", "%", "_", "o", "zz", "\\", "100%", "straSSe", "ß", "ÜBERJ", "11 long", "r%k"]
        ),
        max_size=3,
    ).map(tuple),
    statuses=st.sampled_from([(), (), (), ("listed", "sold")]),
    has_inventory=st.sampled_from([None, None, True, False]),
    has_available_inventory=st.sampled_from([None, None, True, False]),
    uploadable_to_redbubble=st.sampled_from([None, None, None, True]),
    ordering=st.lists(st.sampled_from(sorted(ORDERS)), min_size=1, max_size=3).map(tuple),
    page=st.sampled_from([1, 1, 2, 3, 4, 7, 12, 30, None, 10**15]),
    page_size=st.sampled_from([1, 4, 5, 15, 100]),
)


def test_every_filter_order_and_page_is_what_a_plain_list_would_give(catalogue: tuple[str, Model]) -> None:
    database_url, model = catalogue

    @given(st.lists(_queries, min_size=10, max_size=10))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
    def check(queries: list[ProductQuery]) -> None:
        for query, got in zip(queries, ask(database_url, *queries, count=len(model)), strict=True):
            expected = ordered([p for p in model if matches(p, query)], query.ordering)
            assert got.total == len(expected), query
            last = max(1, -(-len(expected) // query.page_size))
            number = query.page or last
            assert got.exists == (number <= last)
            shown = json.loads(fill(f"[{got.results}]", ""))
            start = (number - 1) * query.page_size
            assert [p["uid"] for p in shown] == [p["uid"] for p in expected[start : start + query.page_size]], query
            assert all(p in model for p in shown)

    check()


def test_the_default_is_the_newest_first(catalogue: tuple[str, Model]) -> None:
    database_url, model = catalogue
    [got] = ask(database_url, ProductQuery(), count=len(model))
    assert DEFAULT_ORDER == "-created"
    assert [p["uid"] for p in json.loads(fill(f"[{got.results}]", ""))] == [p["uid"] for p in model[::-1][:15]]

"""What a product shows of its items, presences and assets, after whatever happened to them."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.bus import Bus
from commands.children import INVENTORY, adopt
from commands.save import Saved
from commands.store import Store
from commands.work import change
from domain.event import Change
from domain.image import Image
from domain.inventory import inventory as items
from domain.platforms import PLATFORMS
from domain.words import vector
from projections import asset, inventory, presence
from projections.base import Reader
from projections.documents import fill
from projections.inline import inline_projections
from projections.item_document import ItemSummary
from projections.product import detail
from projections.product_document import ProductDocument
from projections.rebuild import rebuild
from tests.scenario import ORGANIZATION, STAMP
from tests.shop import Shop, rows

SUMMARY = ItemSummary.__struct_fields__
HERE = "http://here"
_WORDS = re.compile(r"[^\s':]+(?='?:)")
FOR_SALE = {"received", "ready-to-sell", "listed"}


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, inline_projections())
    yield Bus(store)
    store.close()


@pytest.fixture
def shop(bus: Bus) -> Shop:
    return Shop(bus)


class Shown(NamedTuple):
    """A product, its items, presences and assets, oldest first, each as its own endpoint answers it; whether it is
    among those that are fit for Redbubble, and the words that it is found by."""

    product: dict[str, Any]
    revision: str
    items: list[dict[str, Any]]
    presences: list[dict[str, Any]]
    assets: list[dict[str, Any]]
    is_fit: bool
    words: str


def look(database_url: str, shop: Shop) -> list[Shown]:
    """Return the shop's products in the order in which they were made."""
    return asyncio.run(_look(database_url, shop))


async def _look(database_url: str, shop: Shop) -> list[Shown]:
    found = []
    async with Reader(database_url, size=1) as reader:
        for id in shop.products:
            row = await detail(reader, ORGANIZATION, id)
            assert row is not None
            items = [await inventory.detail(reader, ORGANIZATION, item) for item, of in shop.items.items() if of == id]
            presences = await presence.of_product(reader, ORGANIZATION, id)
            assets = await asset.of_product(reader, ORGANIZATION, id)
            [listed] = await reader.rows(b"SELECT redbubble, search::text FROM product_list WHERE id = %b", [id])
            found.append(
                Shown(
                    json.loads(fill(row.document, HERE)),
                    row.revision,
                    [json.loads(fill(item or "", HERE)) for item in items],
                    json.loads(f"[{presences}]"),
                    json.loads(f"[{assets}]"),
                    *listed,
                )
            )
    return found


def expected(shown: Shown, uploaded: Image | None) -> dict[str, Any]:
    """Return what the product has to say of its family, in plain Python."""
    product, _, items, presences, assets, _, _ = shown
    offers = [
        Decimal(price)
        for item in items
        if item["status"] in FOR_SALE and (price := item["listing_current_price"] or item["price_total_usd"])
    ]
    asked = [Decimal(p["listing_price_usd"]) for p in presences if p["status"] == "active" and p["listing_price_usd"]]
    photos = [item["assets"][0]["url"] for item in items if item["assets"]]
    pictures = [p["image_url"] for p in presences if p["image_url"]]
    own = [f"{HERE}/media/{uploaded.id.hex}/image.jpg"] if uploaded else []
    redbubble = [p for p in presences if p["platform"]["slug"] == "redbubble"]
    latest = redbubble[-1] if redbubble else {}

    def count(*statuses: str) -> int:
        return sum(item["status"] in statuses for item in items)

    return {
        "price_computed_usd": f"{min(offers or asked):.2f}" if offers or asked else None,
        "product_image": next(iter([*own, *photos, *pictures]), None),
        "total_inventory_count": len(items),
        "listed_inventory_count": count("listed"),
        "available_inventory_count": count("received", "ready-to-sell"),
        "has_primary_asset": bool(assets),
        "inventory_items": [{name: item[name] for name in SUMMARY} for item in items],
        "available_platforms": len([p for p in PLATFORMS if p.supports_digital or product["type"] == "physical"]),
        "marketplace_presences": [p for p in presences if p["status"] not in {"ended", "removed", "sold"}],
        "redbubble_presence": {
            "exists": bool(latest),
            **{name: latest.get(name) for name in ("external_url", "external_listing_id", "status")},
        },
    }


def is_fit(shown: Shown) -> bool:
    """Say whether the product is fit for Redbubble and not there yet, in plain Python."""
    kinds = [found["content_type"] for found in shown.assets if found["is_primary"]]
    places = {
        found["platform"]["slug"] for found in shown.presences if found["status"] in {"active", "draft", "paused"}
    }
    is_free = shown.product["type"] == "digital" and not shown.product["is_mature_content"]
    return is_free and "redbubble" not in places and kinds in [["image/png"], ["image/jpeg"]]


def words_of(shown: Shown) -> set[str]:
    """Return the words that the product is to be found by, as they are stored."""
    number = shown.product["catalog_number"]
    own = vector(ORGANIZATION, [shown.product["title"], number, *shown.product["tags"]], [number])
    return set(_WORDS.findall(own)).union(
        *(_WORDS.findall(vector(ORGANIZATION, [found["filename"]])) for found in shown.assets)
    )


@pytest.mark.parametrize("length", [8, 30])
def test_a_product_shows_its_family_as_it_is(bus: Bus, database_url: str, length: int) -> None:
    @given(st.data())
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data: st.DataObject) -> None:
        shop = Shop(bus)
        for _ in range(length):
            shop.act(data.draw)
        for id, shown in zip(shop.products, look(database_url, shop), strict=True):
            product, items = shown.product, shown.items
            assert list(product) == list(ProductDocument.__struct_fields__)
            for item in items:
                assert item["product"] == {name: product[name] for name in item["product"]}
            assert [found["is_primary"] for found in shown.assets].count(True) == bool(shown.assets)
            assert shown.is_fit is is_fit(shown)
            for found in shown.assets:
                assert set(_WORDS.findall(vector(ORGANIZATION, [found["filename"]]))) <= set(
                    _WORDS.findall(shown.words)
                )
            if not shown.assets and product["title"]:
                assert "flac" not in shown.words
            wanted = expected(shown, shop.images.get(id))
            product["available_platforms"] = len(product["available_platforms"])
            assert {name: product[name] for name in wanted} == wanted

    check()


def test_the_price_is_the_lowest_for_sale_then_the_lowest_listed_elsewhere(shop: Shop, database_url: str) -> None:
    def price() -> Any:
        return look(database_url, shop)[0].product["price_computed_usd"]

    id = shop.product(title="Abbey Road", type="digital", price_override_usd=Decimal("1.00"))
    assert price() is None
    presence = shop.presence(id, platform_uid="plat_ebay", status="active", listing_price="40.00")
    shop.presence(id, platform_uid="plat_discogs", status="paused", listing_price="4.00")
    assert price() == "40.00"
    dear = shop.item(id, status="listed", listing_current_price="90.00", price_total_usd="5.00")
    assert price() == "90.00"
    cheap = shop.item(id, status="received", price_total_usd="80.50")
    shop.item(id, status="sold", price_total_usd="2.00")
    assert price() == "80.50"
    shop.revise_item(cheap, status="reserved")
    assert price() == "90.00"
    shop.drop_item(dear)
    assert price() == "40.00"
    shop.revise_presence(presence, status="ended")
    assert price() is None


def test_the_image_is_the_uploaded_one_then_the_first_photo_then_a_presences(shop: Shop, database_url: str) -> None:
    def image() -> Any:
        return look(database_url, shop)[0].product["product_image"]

    id = shop.product(title="Abbey Road", type="physical")
    ended = shop.presence(id, platform_uid="plat_ebay", status="ended", image_url="https://example.com/a.jpg")
    shop.presence(id, platform_uid="plat_ebay", status="active", image_url="https://example.com/b.jpg")
    assert image() == "https://example.com/a.jpg"
    oldest, younger = shop.item(id, status="received"), shop.item(id, status="received")
    of_younger = shop.photo(younger)
    assert image() == f"{HERE}/media/{of_younger.hex}/image.jpg"
    first, second = shop.photo(oldest), shop.photo(oldest)
    assert image() == f"{HERE}/media/{first.hex}/image.jpg"
    shop.replace_image(id)
    assert image() == f"{HERE}/media/{shop.images[id].id.hex}/image.jpg"
    shop.replace_image(id)
    assert image() == f"{HERE}/media/{shop.images[id].id.hex}/image.jpg"
    shop.remove_image(id)
    shop.drop_photo(first)
    assert image() == f"{HERE}/media/{second.hex}/image.jpg"
    shop.drop_item(oldest)
    shop.drop_photo(of_younger)
    shop.drop_presence(ended)
    assert image() == "https://example.com/b.jpg"


def test_the_revision_moves_with_the_product_and_with_everything_of_its_family(shop: Shop, database_url: str) -> None:
    seen: list[str] = []

    def moved() -> bool:
        seen.append(look(database_url, shop)[0].revision)
        return seen[-1] not in seen[:-1]

    id = shop.product(title="Abbey Road", type="physical")
    assert moved()
    item = shop.item(id, status="received")
    assert moved()
    photo = shop.photo(item)
    assert moved()
    shop.drop_photo(photo)
    assert moved()
    presence = shop.presence(id, platform_uid="plat_ebay", status="active")
    assert moved()
    shop.revise(id, title="Help!")
    assert moved()
    shop.drop_item(item)
    assert moved()
    shop.drop_presence(presence)
    assert moved()
    shop.revise_item(shop.item(id, status="received"), status="received")
    assert moved()
    assert seen[-1] == "2.7"


def test_the_writes_of_many_in_one_call_are_what_they_are_one_by_one(bus: Bus, shop: Shop, database_url: str) -> None:
    kept, gone = (shop.product(title=title, type="physical") for title in ("Kept", "Gone"))
    item = shop.item(kept, status="received")
    shop.presence(gone, platform_uid="plat_ebay", status="active")
    recorder = Recorder(database_url)
    others = Shop(Bus(recorder), UUID(int=7))
    mine = Shop(Bus(recorder))
    mine.items, mine.products, mine.presences = dict(shop.items), list(shop.products), dict(shop.presences)
    new = mine.product(title="New", type="physical", artist_name="Neu!")
    others.product(title="Theirs", type="nft")
    mine.revise(kept, tags=("rock",))
    mine.revise_item(item, status="sold")
    mine.drop_product(gone)
    recorder.close()
    [product] = [change.after for change in recorder.changes if change.id == new]
    arrived = uuid_utils.compat.uuid7()
    event = items.create(arrived, new, 1, {"status": "listed", "listing_current_price": Decimal("12.00")}, STAMP)
    recorder.changes.append(change(arrived, None, [event], items.evolve, product))
    assert len(recorder.changes) == 8
    saved = bus.store.save(recorder.changes, steps=[adopt(new, arrived, INVENTORY, 1)])
    assert new not in saved.documents
    assert {arrived, *others.products} < saved.documents.keys()
    shop.products, shop.items = [new], {arrived: new}
    [shown] = look(database_url, shop)
    assert shown.product["inventory_items"] == [{name: shown.items[0][name] for name in SUMMARY}]
    assert (shown.product["price_computed_usd"], shown.revision) == ("12.00", "1.1")
    live = rows(database_url)
    assert [row[0] for row in live["product_list"]] == sorted([kept, new, *others.products])
    rebuild(database_url, processes=1)
    assert rows(database_url) == live
    with psycopg.connect(database_url) as connection:
        counts = connection.execute("SELECT organization, product_count, item_count FROM catalogue ORDER BY 1")
        assert counts.fetchall() == [(UUID(int=7), 1, 0), (ORGANIZATION, 2, 2)]


class Recorder(Store):
    """Keeps the changes that it is to save, for one save of all of them."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url, inline_projections())
        self.changes: list[Change] = []

    def save(self, changes: Sequence[Change], **_: Any) -> Saved:
        self.changes.extend(changes)
        return Saved((), {})


def test_an_item_shows_its_product_as_it_is_called_now(shop: Shop, database_url: str) -> None:
    id = shop.product(title="Abbey Road", type="physical", catalog_number="PCS 7088")
    shop.item(id, status="received", condition_item="vg_plus")
    [[_, _, [item], *_]] = look(database_url, shop)
    assert (item["title"], item["resolved_sku"]) == ("Abbey Road \u2014 VG+", "PCS-7088-001")
    shop.revise(id, title="Help!", catalog_number="PMC 1255")
    [[product, _, [item], *_]] = look(database_url, shop)
    assert (item["title"], item["resolved_sku"]) == ("Help! \u2014 VG+", "PMC-1255-001")
    assert product["inventory_items"] == [{name: item[name] for name in SUMMARY}]

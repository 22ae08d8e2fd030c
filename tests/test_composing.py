"""What families come to is said in two places, by the database and by projections.composing: here they say the same."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from commands.bus import Bus
from commands.store import Store
from domain.choices import INVENTORY_STATUSES, PRESENCE_STATUSES
from projections.inline import inline_projections
from projections.rebuild import rebuild
from tests.shop import Shop, rows


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    store = Store(database_url, inline_projections())
    yield Shop(Bus(store))
    store.close()


def _by_items(shop: Shop) -> None:
    for n, status in enumerate(INVENTORY_STATUSES):
        price = Decimal("20.00") if n % 3 == 0 else None
        id = shop.product(title=f"Kind — {n}\\", type="physical", price_override_usd=price)
        for paid in (None, "9.99", "7.50", "12.00"):
            shop.item(id, status=status, price_total_usd=paid, name='say "name":', condition_item="mint")
        dearer = shop.item(id, status="listed", price_total_usd="30.00", listing_current_price="8.00")
        shop.photo(dearer)
        shop.photo(shop.item(id, status="draft"))


def _by_presences(shop: Shop) -> None:
    for status in PRESENCE_STATUSES:
        id = shop.product(title=f"On {status}", type="physical")
        shop.presence(id, platform_uid="plat_ebay", status=status, listing_price="10.00")
        for image in (None, "https://example.com/é.jpg", "https://example.com/b.jpg"):
            shop.presence(id, platform_uid="plat_discogs", status=status, listing_price="9.00", image_url=image)
        shop.presence(id, platform_uid="plat_redbubble", status="ended", external_url="https://example.com/1")
        shop.presence(id, platform_uid="plat_redbubble", status=status, external_url="https://example.com/\\2")


def _by_assets(shop: Shop) -> None:
    for n, kind in enumerate(("image/png", "image/jpeg", "audio/flac", "application/zip")):
        for status in (None, "active", "ended"):
            id = shop.product(title=f"Pack {n}", type="digital", is_mature_content=n == 1, tags=("a'b", "c\\d"))
            shop.asset(id, filename=f"Cover {n}'\".png", content_type=kind, is_primary=True)
            shop.asset(id, filename="Abbey_Road-01.flac", content_type="audio/flac")
            shop.replace_image(id)
            if status:
                shop.presence(id, platform_uid="plat_redbubble", status=status)


def _gone(shop: Shop) -> UUID:
    """Return a product whose items, presences and assets went."""
    id = shop.product(title="Sold out", type="digital")
    shop.drop_item(shop.item(id, status="listed", price_total_usd="3.00"))
    shop.drop_presence(shop.presence(id, platform_uid="plat_ebay", status="active"))
    shop.drop_asset(shop.asset(id, filename="a.png", content_type="image/png"))
    return id


def test_a_rebuild_says_of_every_kind_of_family_what_the_database_says(shop: Shop, database_url: str) -> None:
    _by_items(shop)
    _by_presences(shop)
    _by_assets(shop)
    gone = _gone(shop)
    live = rows(database_url)
    rebuild(database_url, processes=1)
    rebuilt = rows(database_url)
    for table, found in live.items():
        for before, after in zip(found, rebuilt[table], strict=True):
            assert after == before
    with psycopg.connect(database_url) as connection:
        asked = "SELECT child_revision, items_made, total_count FROM product_list WHERE id = %s"
        assert connection.execute(asked, [gone]).fetchone() == (6, 1, 0)

"""Many presences on two marketplaces, in time that a test moves: all looked at in time, and no limit overstepped."""

from datetime import timedelta

import pytest

from bench.listings import stock
from commands.settings import Settings
from tests.syncing import DISCOGS, EBAY, Syncing, syncing

INTERVAL_MINUTES = 60
SLICE_SECONDS = 300.0


def put_up(shop: Syncing, count: int) -> None:
    """Have so many listings on each marketplace, and connect both."""
    for platform in (EBAY, DISCOGS):
        currency = "USD" if platform == EBAY else shop.discogs.shop.currency
        skus = [f"{platform}-{number}" for number in range(count)]
        listings = [(shop.put_up(platform, "20.00", sku), sku) for sku in skus]
        stock(shop.bus, shop.context, platform, currency, listings)
        shop.connect(platform, interval_minutes=INTERVAL_MINUTES)


def keep_in_step(shop: Syncing, count: int, hours: float) -> None:
    """Let time go by, and see all the while that every listing was looked at within its interval."""
    began = shop.clock.now()
    while shop.clock.now() < began + timedelta(hours=hours):
        shop.run(SLICE_SECONDS)
        [[oldest, checked]] = shop.rows("SELECT min(coalesce(checked, %s)), count(checked) FROM listing", began)
        assert shop.clock.now() - oldest <= timedelta(minutes=INTERVAL_MINUTES)
        assert shop.violations == {}
    assert checked == 2 * count
    [[prices]] = shop.rows("SELECT count(*) FROM listing WHERE price = 20 AND status = 'active'")
    assert prices == 2 * count
    assert (shop.owed(), shop.activity(EBAY, "failed"), shop.activity(DISCOGS, "failed")) == ([], [], [])


def test_listings_are_looked_at_within_their_interval_and_limits(settings: Settings) -> None:
    with syncing(settings) as shop:
        put_up(shop, 60)
        keep_in_step(shop, 60, 2.2)


@pytest.mark.faults
def test_ten_thousand_listings_are_looked_at_within_their_interval_and_limits(settings: Settings) -> None:
    with syncing(settings) as shop:
        put_up(shop, 5_000)
        keep_in_step(shop, 5_000, 2.2)
        # Discogs shows a hundred at once; eBay each by itself.
        assert sum(shop.discogs.calls.values()) < 1_000

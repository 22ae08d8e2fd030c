"""Workers die at each step of a round and of a listing: each price arrives, the newest; each sale is handled once."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from commands.settings import Settings
from tests.faults.machine import KILLED, worker
from tests.importing import eventually
from tests.syncing import DISCOGS, EBAY, Record, Syncing, syncing

pytestmark = pytest.mark.faults

PLATFORMS = (EBAY, DISCOGS)
RECOVERY_SECONDS = 60.0


@pytest.fixture
def shop(settings: Settings) -> Iterator[Syncing]:
    with syncing(replace(settings, log_level="error", log_format="json"), None) as found:
        for platform in PLATFORMS:
            found.connect(platform, push_prices=True, auto_delist=True, interval_minutes=5)
        yield found


@pytest.fixture
def priced(shop: Syncing) -> Record:
    """A record whose price is to be told on both marketplaces."""
    found = shop.record("LP-1")
    for platform in PLATFORMS:
        shop.reprice(found.presences[platform], "30.00")
    return found


@pytest.fixture
def sold(shop: Syncing) -> Record:
    """A record that was sold on one marketplace, and nobody knows it here."""
    found = shop.record("LP-2")
    shop.sell(DISCOGS, found.listings[DISCOGS])
    return found


def die(shop: Syncing, fault: str) -> None:
    """Have a worker die there. What it had on lease is nobody's from now on, as it would be in twenty seconds."""
    with worker(shop.settings, fault) as dying:
        assert dying.wait(30) == KILLED
    free(shop)


def free(shop: Syncing) -> None:
    shop.rows("UPDATE lease SET until = now() RETURNING 1")


def settle(shop: Syncing, priced: Record, sold: Record, price: str) -> None:
    """Let another worker go on, and see that all is as it should be."""
    with worker(shop.settings):
        eventually(lambda: is_told(shop, priced, price) and shop.status_of(sold.item) == "sold", RECOVERY_SECONDS)
        eventually(lambda: not shop.is_for_sale(EBAY, sold.listings[EBAY]) and not shop.owed(), RECOVERY_SECONDS)
    assert is_told(shop, priced, price)
    topics = {platform: shop.topics(sold.presences[platform]) for platform in PLATFORMS}
    assert topics[DISCOGS].count("presence.sold.v1") == 1
    assert topics[EBAY].count("presence.delisted.v1") == 1
    assert not any("presence.sale-conflicted.v1" in of for of in topics.values())
    assert shop.rows("SELECT count(*) FROM events WHERE topic LIKE 'task.%%'") == [(0,)]
    assert shop.violations == {}


def is_told(shop: Syncing, record: Record, price: str) -> bool:
    """Say whether the price is there and here, and told by one event."""
    wanted = Decimal(price)
    return all(
        shop.price_there(platform, record.listings[platform]) == wanted
        and shop.seen(record.presences[platform]).listing_price == wanted
        for platform in PLATFORMS
    )


@pytest.mark.parametrize(
    "fault",
    [
        "projections.todo:Todo.lease:after",
        "projections.todo:Todo.begin:after",
        "workers.marketplaces.gate:Gate.send:before",
        "commands.web:Web.send:after",
        "workers.marketplaces.discogs:DiscogsAccount._post:before",
        "workers.marketplaces.discogs:DiscogsAccount._post:after",
        "workers.marketplaces.ebay_offers:EbayOffers.set_price:before",
        "workers.marketplaces.ebay_offers:EbayOffers.set_price:after",
        "workers.marketplaces.ebay_offers:EbayOffers.withdraw:before",
        "workers.marketplaces.ebay_offers:EbayOffers.withdraw:after",
        "commands.store:Store.save:before",
        "commands.store:Store.save:after",
        "projections.listing:Listings.orders_checked:before",
        "projections.todo:Todo.again:before",
        "projections.todo:Todo.release:before",
    ],
)
def test_a_worker_that_is_killed_at_any_step_leaves_no_price_and_no_sale_undone_or_done_twice(
    shop: Syncing, priced: Record, sold: Record, fault: str
) -> None:
    die(shop, fault)
    settle(shop, priced, sold, "30.00")
    pushes = [shop.topics(id).count("presence.price-pushed.v1") for id in priced.presences.values()]
    assert pushes == [1, 1]


@pytest.mark.parametrize("kind", ["slow", "lost"])
def test_a_request_that_is_acted_on_after_its_worker_died_is_made_good_by_the_newest_price(
    shop: Syncing, priced: Record, sold: Record, kind: str
) -> None:
    shop.fault(EBAY, kind, method="POST", path="/sell/inventory/v1/bulk_update", seconds=3.0)
    shop.fault(DISCOGS, kind, method="POST", path="/marketplace/listings/", seconds=3.0)
    with worker(shop.settings) as dying:
        # Taken by the marketplaces, and not answered.
        eventually(lambda: not shop.faults, 30)
        dying.kill()
        dying.wait()
    # A request is over before the lease of whoever sent it is: nobody begins again before it was acted on.
    eventually(lambda: all(shop.price_there(of, priced.listings[of]) == Decimal("30.00") for of in PLATFORMS), 30)
    free(shop)
    for platform in PLATFORMS:
        shop.reprice(priced.presences[platform], "35.00")
    settle(shop, priced, sold, "35.00")


def test_a_worker_that_is_told_to_end_in_the_middle_of_a_round_ends_and_still_owes_it(
    shop: Syncing, priced: Record, sold: Record, tmp_path: Path
) -> None:
    for number in range(30):
        listing = shop.put_up(EBAY, "10.00", f"SKU-{number}")
        product = shop.product()
        shop.item(product, manual_sku=f"SKU-{number}")
        shop.presence(product, EBAY, listing)
    shop.rows("UPDATE listing SET due = now() RETURNING 1")
    shop.fault(EBAY, "slow", method="GET", path="/sell/inventory", times=1000, seconds=0.5)
    log = tmp_path / "log"
    with worker(shop.settings, log=log) as ending:
        eventually(lambda: sum(count for call, count in shop.ebay.calls.items() if "/offer" in call) > 3, 30)
        ending.terminate()
        assert ending.wait(10) == 0
    assert log.read_text() == ""
    rounds = shop.rows("SELECT due <= now(), dead_since, attempts FROM todo WHERE kind = 'round' AND due <= now()")
    assert (True, None, 0) in rounds
    free(shop)
    shop.end_faults()
    settle(shop, priced, sold, "30.00")
    eventually(lambda: shop.rows("SELECT count(*) FROM listing WHERE due <= now()") == [(0,)], 1)

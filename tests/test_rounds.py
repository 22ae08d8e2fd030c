"""Presences follow what marketplaces show, prices set here get there, and what is sold on one leaves the other."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from commands.connection import ReviseConnection
from commands.presence import RevisePresence
from commands.product import ReviseProduct
from commands.settings import Settings
from domain.presence import presence as presences
from domain.presence.form import REVISE
from domain.presence.presence import Presence
from tests.syncing import DISCOGS, EBAY, Syncing, syncing

HOUR = 3600.0


@pytest.fixture
def shop(settings: Settings) -> Iterator[Syncing]:
    with syncing(settings) as found:
        for platform in (EBAY, DISCOGS):
            found.connect(platform, push_prices=True, auto_delist=True)
        yield found


def test_what_a_marketplace_shows_is_here_within_an_interval(shop: Syncing) -> None:
    record = shop.listed(EBAY, "24.99"), shop.listed(DISCOGS, "21.00")
    shop.run(HOUR)
    for presence, price, currency in zip(record, ("24.99", "21.00"), ("USD", "EUR"), strict=True):
        found = shop.seen(presence)
        assert (found.listing_price, found.listing_currency, found.status) == (Decimal(price), currency, "active")
    shop.set_price_there(EBAY, record[0], "30.00")
    shop.set_price_there(DISCOGS, record[1], "40.00")
    shop.run(HOUR * 1.1)
    assert [shop.seen(presence).listing_price for presence in record] == [Decimal("30.00"), Decimal("40.00")]
    assert shop.seen(record[1]).listing_price_usd == Decimal("50.00")
    assert shop.violations == {}

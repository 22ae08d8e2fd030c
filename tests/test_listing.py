"""Listings: what marketplaces show, take and sell, against the tables that workers read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.connection import (
    CreateConnection,
    NoteVerified,
)
from commands.inventory import CreateItem
from commands.listing import NoteChecked, NoteEnded, NotePushed
from commands.presence import CreatePresence, RevisePresence
from commands.product import CreateProduct, ReviseProduct
from commands.sale import RecordSale
from commands.store import Store
from commands.work import Context
from domain.inventory import inventory
from domain.inventory.inventory import Item
from domain.presence import form
from domain.presence import presence as presences
from domain.presence.listing import Listing, Sale, Seen, Unseen
from domain.presence.presence import Presence
from projections.inline import inline_projections
from projections.listing import Listings, Wanted
from tests.scenario import ORGANIZATION

EBAY, DISCOGS = "plat_ebay", "plat_discogs"
SETTINGS = {"interval_minutes": 60, "push_prices": True, "auto_delist": True, "markup_percent": 0}


class Shop:
    """A product with presences on marketplaces that are connected; the clock goes where it is told."""

    def __init__(self, database_url: str, store: Store, organization: UUID = ORGANIZATION) -> None:
        self.url = database_url
        self.store = store
        self.now = datetime.now(UTC)
        self.bus = Bus(store, clock=lambda: self.now)
        self.organization = organization
        self.product = self.add_product()

    def do(self, command: Any, actor: str = "key_1") -> Any:
        self.now += timedelta(milliseconds=1)
        return self.bus.execute(command, Context(self.organization, actor, "request-1"))

    def add_product(self, **values: Any) -> UUID:
        id: UUID = uuid7()
        self.do(CreateProduct(id=id, values={"title": "Abbey Road", "type": "physical", **values}))
        return id

    def connect(self, platform: str, **settings: Any) -> UUID:
        id: UUID = uuid7()
        values = {"platform_uid": platform, **SETTINGS, **settings}
        self.do(CreateConnection(id=id, values=values, sealed=b"sealed"))
        self.do(NoteVerified(id=id), "system")
        return id

    def add(self, platform: str, external_id: str = "111", product: UUID | None = None, **values: Any) -> UUID:
        id: UUID = uuid7()
        given: dict[str, Any] = {"platform_uid": platform, "external_listing_id": external_id, "status": "active"}
        given |= {"listing_price": "20.00", "is_selling_enabled": True}
        parsed = form.CREATE.parse({**given, **values}).values
        self.do(CreatePresence(id=id, product=product or self.product, values=parsed))
        return id

    def add_item(self, sku: str | None = None, status: str = "listed", product: UUID | None = None) -> UUID:
        id: UUID = uuid7()
        self.do(CreateItem(id=id, product=product or self.product, values={"status": status, "manual_sku": sku}))
        return id

    def revise(self, presence: UUID, actor: str = "key_1", **values: Any) -> None:
        parsed = form.REVISE.parse(values).values
        self.do(RevisePresence(id=presence, product=self.presence(presence).product, values=parsed), actor)

    def override(self, price: str | None) -> None:
        amount = None if price is None else Decimal(price)
        self.do(ReviseProduct(id=self.product, values={"price_override_usd": amount}))

    def presence(self, id: UUID) -> Presence:
        found = self.store.load(id, presences.fold)
        assert found is not None
        return found

    def item(self, id: UUID) -> Item:
        found = self.store.load(id, inventory.fold)
        assert found is not None
        return found

    def topics(self, id: UUID) -> list[str]:
        return [event.TOPIC for event in self.store.load(id, list)][1:]

    def listings(self, connection: UUID) -> list[Listing]:
        """Return all of a connection's, whenever they are due."""
        with Listings(self.url) as found:
            return found.due(connection, self.now + timedelta(days=1))

    def check(self, connection: UUID, *seen: Seen, failed: tuple[Unseen, ...] = ()) -> None:
        self.do(
            NoteChecked(connection=connection, listings=self.listings(connection), seen=seen, failed=failed), "system"
        )

    def wanted(self, presence: UUID) -> Wanted | None:
        with Listings(self.url) as found:
            return found.wanted(presence)

    def number(self, presence: UUID) -> int:
        found = self.wanted(presence)
        assert found is not None
        return found.push_number

    def pushed(self, connection: UUID, presence: UUID, number: int, price: str, currency: str = "USD") -> None:
        about: dict[str, Any] = {
            "connection": connection,
            "presence": presence,
            "product": self.presence(presence).product,
        }
        self.do(NotePushed(**about, number=number, price=Decimal(price), currency=currency), "system")

    def sell(self, connection: UUID, order: str, listing: str = "111", line: str = "1", **values: Any) -> None:
        sale = Sale(
            order, line, listing, values.pop("sku", None), Decimal("20.00"), "USD", self.now, self.now, **values
        )
        self.do(RecordSale(connection=connection, sale=sale), "system")

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def owed(self, kind: str = "listing") -> set[UUID]:
        return {row[0] for row in self.rows("SELECT subject FROM todo WHERE kind = %s", kind)}

    def activity(self) -> list[tuple[str, str]]:
        return [(row[0], row[1]) for row in self.rows("SELECT action, outcome FROM activity ORDER BY id")]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    found = Store(database_url, inline_projections(), pool_size=2)
    yield found
    found.close()


@pytest.fixture
def shop(database_url: str, store: Store) -> Shop:
    return Shop(database_url, store)


def test_a_check_that_finds_nothing_new_is_no_event_and_says_when(shop: Shop) -> None:
    ebay = shop.connect(EBAY)
    id = shop.add(EBAY)
    shop.check(ebay, Seen(id, "active", Decimal("20.0"), "USD"))
    assert shop.topics(id) == []
    assert shop.rows("SELECT checked, due > checked FROM listing") == [(shop.now, True)]
    shown = f'"last_checked_at":"{shop.now:%Y-%m-%dT%H:%M:%S.%f}Z"'
    for table in ("presence_list", "product_document"):
        [(document,)] = shop.rows(f"SELECT document FROM {table}")
        assert document.count(shown) == 1
    assert shop.activity() == [("check", "done")]


def test_what_the_marketplace_shows_is_taken_over_with_old_and_new(shop: Shop) -> None:
    ebay = shop.connect(EBAY)
    id = shop.add(EBAY)
    shop.check(ebay, Seen(id, "paused", Decimal("25.00"), "USD", {"offer_id": "9"}))
    found = shop.presence(id)
    assert (found.status, found.listing_price, found.listing_price_usd) == (
        "paused",
        Decimal("25.00"),
        Decimal("25.00"),
    )
    assert (found.price_last_updated, found.last_checked_at) == (shop.now, shop.now)
    assert shop.topics(id) == ["presence.observed.v1"]
    assert shop.listings(ebay)[0].reference == {"offer_id": "9"}
    [(changes,)] = shop.rows("SELECT changes FROM activity WHERE outcome = 'changed'")
    assert changes == '{"status":["active","paused"],"listing_price":["20.00","25.00"]}'


def test_a_sale_marks_the_copy_and_ends_its_other_listings_once(shop: Shop) -> None:
    ebay, discogs = shop.connect(EBAY), shop.connect(DISCOGS)
    sold, sibling, item = shop.add(EBAY), shop.add(DISCOGS, "222"), shop.add_item()
    for _ in range(2):
        shop.sell(ebay, "E-1")
    assert (shop.presence(sold).status, shop.item(item).status) == ("sold", "sold")
    assert (shop.topics(sold), shop.topics(item)) == (["presence.sold.v1"], ["inventory.revised.v1"])
    found = shop.wanted(sibling)
    assert found is not None
    assert found.end == "E-1"
    assert shop.owed() == {sibling}
    shop.do(NoteEnded(connection=discogs, presence=sibling, product=shop.product, status="ended"), "system")
    shop.do(NoteEnded(connection=discogs, presence=sibling, product=shop.product, status="ended"), "system")
    assert (shop.presence(sibling).status, shop.topics(sibling)) == ("ended", ["presence.delisted.v1"])
    assert shop.owed() == set()


def test_a_price_set_here_is_wanted_until_it_was_told(shop: Shop) -> None:
    ebay = shop.connect(EBAY)
    id = shop.add(EBAY)
    assert shop.wanted(id) is None
    shop.revise(id, listing_price="22.00")
    first = shop.number(id)
    shop.revise(id, listing_price="23.00")
    push = NotePushed(
        connection=ebay, presence=id, product=shop.product, number=first, price=Decimal(22), currency="USD"
    )
    shop.do(push, "system")
    assert (shop.number(id), shop.presence(id).listing_price) == (first + 1, Decimal("23.00"))
    assert shop.owed() == {id}

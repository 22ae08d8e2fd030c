"""A seller's stall: a product with presences on marketplaces that are connected."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.connection import CreateConnection, NoteVerified
from commands.inventory import CreateItem, ReviseItem
from commands.listing import NoteChecked, NotePushed
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


class Stall:
    """`now` is its clock, which goes on with every command and where it is told."""

    def __init__(self, database_url: str, store: Store, organization: UUID = ORGANIZATION) -> None:
        self.url = database_url
        self.store = store
        self.now = datetime.now(UTC)
        self.bus = Bus(store, clock=lambda: self.now)
        self.organization = organization
        self.product = self.add_product()

    def do(self, command: Any, actor: str = "key_1") -> Any:
        self.now += timedelta(milliseconds=1)
        return self.bus.execute(command, self.context(actor))

    def context(self, actor: str) -> Context:
        return Context(self.organization, actor, "request-1")

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

    def mark(self, id: UUID, status: str) -> None:
        self.do(ReviseItem(id=id, values={"status": status}))

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


@contextmanager
def opened(database_url: str, kind: type[Store] = Store) -> Iterator[Stall]:
    store = kind(database_url, inline_projections(), pool_size=4)
    try:
        yield Stall(database_url, store)
    finally:
        store.close()

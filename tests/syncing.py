"""A shop on two marketplaces whose time only moves when a test moves it: real tables, real commands, real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.connection import CreateConnection, NoteVerified, ReviseConnection
from commands.inventory import CreateItem
from commands.organization import CreateOrganization
from commands.presence import CreatePresence, RevisePresence
from commands.product import CreateProduct, ReviseProduct
from commands.settings import Settings
from commands.store import Store
from commands.task import FailTask
from commands.vault import Vault
from commands.work import Context
from domain.connection import connection as connections
from domain.connection.connection import Connection
from domain.connection.form import CREATE as CONNECTION
from domain.inventory import inventory
from domain.inventory.form import CREATE as ITEM
from domain.presence import presence as presences
from domain.presence.form import CREATE as PRESENCE
from domain.presence.form import REVISE as PRESENCE_REVISED
from domain.presence.presence import Presence
from domain.rates import DayRates
from projections.inline import inline_projections
from projections.rates import Rates
from sandbox.clock import Clock
from sandbox.discogs import Discogs
from sandbox.ebay import Ebay
from sandbox.ebay_tokens import SCOPE
from sandbox.server import serving
from sandbox.wire import Request
from tests.marketplaces import START
from workers.kinds import sync_kinds
from workers.leases import Lease
from workers.marketplaces.registry import Marketplaces
from workers.runner import Again, Hopeless, Kind, Over, Postponed
from workers.sync import Desk
from workers.turns import Turns

EBAY, DISCOGS = "plat_ebay", "plat_discogs"
EBAY_APPLICATION = {
    "ebay_client_id": "client-id",
    "ebay_client_secret": "client-secret",
    "ebay_ru_name": "Deadwax-RuName",
}
PER_EURO = {"USD": Decimal("1.25"), "GBP": Decimal("0.80"), "JPY": Decimal(160)}
"""A euro's rates, of the day that the test's time begins on."""


class Record(NamedTuple):
    """One copy of a record, and its listings and presences by platform."""

    product: UUID
    item: UUID
    listings: dict[str, str]
    presences: dict[str, UUID]


class Syncing:
    """The shop, and the workers' turn at it: `run` does what is due, one after the other, as time goes by."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        clock: Clock,
        ebay: Ebay,
        discogs: Discogs,
        marketplaces: Marketplaces,
        desk: Desk | None = None,
    ) -> None:
        self.settings = settings
        self.bus = bus
        self.clock = clock
        self.ebay = ebay
        self.discogs = discogs
        self.context = Context(uuid7(), "key_1", "request-1")
        self.connections: dict[str, UUID] = {}
        self._vault = Vault(settings.secret_key)
        self.marketplaces = marketplaces
        self.desk = desk or Desk(settings, bus, marketplaces, Turns(2), clock.now, lambda: 0.5)
        self._kinds = {kind.name: kind for kind in sync_kinds(self.desk)}
        bus.execute(CreateOrganization(self.context.organization, f"Shop {self.context.organization}"), self.context)

    def another(self) -> "Syncing":
        """Give another organization's, at the same marketplaces and in the same time."""
        self.keep_rates()
        return Syncing(self.settings, self.bus, self.clock, self.ebay, self.discogs, self.marketplaces, self.desk)

    def keep_rates(self) -> None:
        with Rates(self.settings.database_url) as rates:
            rates.keep(DayRates(day=self.clock.now().date(), per_euro={"EUR": Decimal(1), **PER_EURO}), "test")

    def connect(self, platform: str, **fields: Any) -> UUID:
        """Connect a marketplace that lets us in."""
        id = uuid7()
        values = CONNECTION.parse({"platform_uid": platform, "interval_minutes": 60, **fields}).values
        sealed = self._vault.seal(id, self._secret(platform))
        self.bus.execute(CreateConnection(id=id, values=values, sealed=sealed), self.context)
        self.bus.execute(NoteVerified(id=id), self.context)
        self.connections[platform] = id
        return id

    def reconnect(self, platform: str) -> None:
        """Give it other credentials, which let us in."""
        id = self.connections[platform]
        sealed = self._vault.seal(id, self._secret(platform))
        self.bus.execute(ReviseConnection(id=id, values={}, sealed=sealed), self.context)
        self.bus.execute(NoteVerified(id=id), self.context)

    def _secret(self, platform: str) -> dict[str, str]:
        return {"token": self.discogs.token} if platform == DISCOGS else {"refresh_token": self._consent()}

    def _consent(self) -> str:
        return self.ebay.tokens.granted(frozenset({f"{SCOPE}/sell.inventory", f"{SCOPE}/sell.fulfillment"}))

    def product(self, **values: Any) -> UUID:
        id: UUID = uuid7()
        given = {"title": "Abbey Road", "type": "physical", **values}
        self.bus.execute(CreateProduct(id=id, values=given), self.context)
        return id

    def item(self, product: UUID, **fields: Any) -> UUID:
        id: UUID = uuid7()
        values = ITEM.parse({"status": "listed", **fields}).values
        self.bus.execute(CreateItem(id=id, product=product, values=values), self.context)
        return id

    def presence(self, product: UUID, platform: str, listing: str, **fields: Any) -> UUID:
        """Say that the product is that listing."""
        id: UUID = uuid7()
        currency = "USD" if platform == EBAY else self.discogs.shop.currency
        shown = {"status": "active", "listing_currency": currency, "is_selling_enabled": True, **fields}
        values = PRESENCE.parse({"platform_uid": platform, "external_listing_id": listing, **shown}).values
        self.bus.execute(CreatePresence(id=id, product=product, values=values), self.context)
        return id

    def record(self, sku: str) -> Record:
        """List one copy of something on both marketplaces."""
        product = self.product()
        item = self.item(product, manual_sku=sku)
        asked = {EBAY: "24.99", DISCOGS: "21.00"}
        listings = {platform: self.put_up(platform, price, sku) for platform, price in asked.items()}
        presences = {platform: self.presence(product, platform, listing) for platform, listing in listings.items()}
        return Record(product, item, listings, presences)

    def connected_record(self, **fields: Any) -> Record:
        """Connect both marketplaces, and list a record on them."""
        for platform in (EBAY, DISCOGS):
            self.connect(platform, **fields)
        return self.record(f"LP-{self.context.organization}")

    def put_up(self, platform: str, price: str, sku: str) -> str:
        """Put something up on the marketplace; return the listing's id."""
        if platform == EBAY:
            return str(self.ebay.shop.add({"price": price, "sku": sku})["listingId"])
        return str(self.discogs.shop.add({"price": price, "external_id": sku})["id"])

    def sell(self, platform: str, listing: str) -> str | None:
        """Have somebody buy it there; return the order, None where it is not for sale."""
        shop = self.ebay.shop if platform == EBAY else self.discogs.shop
        try:
            order = shop.sell({"listing_id": listing})
        except (KeyError, ValueError):
            return None
        return str(order["orderId" if platform == EBAY else "id"])

    def end_there(self, platform: str, listing: str) -> None:
        """Have the seller end it on the marketplace's own page."""
        if platform == EBAY:
            self.ebay.shop.end({"listing_id": listing})
        else:
            self.discogs.shop.set_status({"listing_id": listing, "status": "Expired"})

    def reprice_there(self, platform: str, listing: str, price: str) -> None:
        """Have the seller set a price on the marketplace's own page."""
        if platform == EBAY:
            self.ebay.shop.listed(listing)["price"]["value"] = price
        else:
            self.discogs.shop.listings[int(listing)]["price"] = Decimal(price)

    def price_there(self, platform: str, listing: str) -> Decimal:
        if platform == EBAY:
            return Decimal(self.ebay.shop.listed(listing)["price"]["value"])
        return Decimal(self.discogs.shop.listings[int(listing)]["price"])

    def is_for_sale(self, platform: str, listing: str) -> bool:
        if platform == DISCOGS:
            return bool(self.discogs.shop.listings[int(listing)]["status"] == "For Sale")
        offers = self.ebay.shop.offers.values()
        return any(
            o["listingId"] == listing and o["listingStatus"] == "ACTIVE" and o["availableQuantity"] for o in offers
        )

    def reprice(self, presence: UUID, price: str) -> None:
        found = self.seen(presence)
        values = PRESENCE_REVISED.parse({"listing_price": price}).values
        self.bus.execute(RevisePresence(id=presence, product=found.product, values=values), self.context)

    def override(self, product: UUID, price: str | None) -> None:
        values = {"price_override_usd": None if price is None else Decimal(price)}
        self.bus.execute(ReviseProduct(id=product, values=values), self.context)

    def revise_connection(self, platform: str, **values: Any) -> None:
        self.bus.execute(ReviseConnection(id=self.connections[platform], values=values), self.context)

    def fault(self, platform: str, kind: str, **fields: Any) -> None:
        vendor = self.ebay if platform == EBAY else self.discogs
        vendor.handle(Request("POST", "/_sandbox/faults", {}, {}, json.dumps({"kind": kind, **fields}).encode(), ""))

    @property
    def faults(self) -> list[str]:
        """Return the faults that nothing has met yet."""
        return [fault.kind for vendor in (self.ebay, self.discogs) for fault in vendor._faults]

    def end_faults(self) -> None:
        for vendor in (self.ebay, self.discogs):
            vendor.handle(Request("DELETE", "/_sandbox/faults", {}, {}, b"", ""))

    def seen(self, presence: UUID) -> Presence:
        """Return the presence as it is here."""
        found = self.bus.store.load(presence, presences.fold)
        assert found is not None
        return found

    def status_of(self, item: UUID) -> str:
        found = self.bus.store.load(item, inventory.fold)
        assert found is not None
        return found.status

    def topics(self, presence: UUID) -> list[str]:
        return [event.TOPIC for event in self.bus.store.load(presence, list)]

    def connection(self, platform: str) -> Connection:
        found = self.bus.store.load(self.connections[platform], connections.fold)
        assert found is not None
        return found

    def activity(self, platform: str, *outcomes: str) -> list[tuple[str, str, str]]:
        """Return actions, outcomes and messages, the oldest first."""
        query = "SELECT action, outcome, message FROM activity WHERE connection = %s AND outcome = ANY(%s) ORDER BY id"
        return [row[:3] for row in self.rows(query, self.connections[platform], list(outcomes))]

    def owed(self) -> list[tuple[str, str | None, bool]]:
        """Return kinds of what is owed, why it waits and whether it is dead, but for rounds that simply go on."""
        query = (
            "SELECT kind, error, dead_since IS NOT NULL FROM todo"
            " WHERE organization = %s AND kind = ANY(%s) AND (kind <> 'round' OR error IS NOT NULL)"
        )
        return [row[:3] for row in self.rows(query, self.context.organization, [*self._kinds])]

    @property
    def violations(self) -> dict[str, int]:
        """Return what the marketplaces had to refuse for a fault of ours."""
        return {**self.ebay.violations, **self.discogs.violations}

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.database_url) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def run(self, seconds: float) -> int:
        """Let so much time go by, in which the workers do what is due; return how many attempts there were."""
        until, attempts = self.clock.now() + timedelta(seconds=seconds), 0
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            while (
                found := connection.execute(_NEXT, [self.context.organization, [*self._kinds], until]).fetchone()
            ) is not None:
                subject, kind, due, attempt, fruitless = found
                self.clock.move(max(0.0, (due - self.clock.now()).total_seconds()))
                self._attempt(connection, subject, self._kinds[kind], due, attempt, fruitless)
                attempts += 1
        self.clock.move((until - self.clock.now()).total_seconds())
        return attempts

    def _attempt(
        self, connection: psycopg.Connection, subject: UUID, kind: Kind, due: datetime, attempt: int, fruitless: int
    ) -> None:
        """As the runner does it, by this clock."""
        lease = Lease(subject, uuid7(), attempt, threading.Event(), 3600.0)
        try:
            work = kind.take(subject)
            ended = Over() if work is None else work.attempt(lease)
        except Postponed as error:
            limit = 0 if isinstance(error, Hopeless) else kind.max_fruitless
            command = FailTask(
                subject=subject, kind=kind.name, attempt=attempt, fruitless=fruitless, reason=str(error), jitter=0.5,
                max_fruitless=limit, at_least_seconds=error.after_seconds or 0.0,
            )  # fmt: skip
            self.bus.execute(command, self.context)
            return
        if isinstance(ended, Again):
            again = self.clock.now() + timedelta(seconds=ended.after_seconds)
            connection.execute(_AGAIN, {"subject": subject, "due": due, "again": again, "reason": ended.reason})
        elif isinstance(ended, Over):
            connection.execute("DELETE FROM todo WHERE subject = %s AND due = %s", [subject, due])


_NEXT = """
UPDATE todo SET attempts = attempts + 1, fruitless = fruitless + 1 WHERE subject = (
    SELECT subject FROM todo WHERE organization = %s AND kind = ANY(%s) AND dead_since IS NULL AND due <= %s
    ORDER BY due, subject LIMIT 1
) RETURNING subject, kind, due, attempts, fruitless
"""
_AGAIN = """
UPDATE todo SET due = CASE WHEN due = %(due)s THEN %(again)s ELSE due END, error = %(reason)s,
    attempts = CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE attempts END,
    fruitless = CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE fruitless - 1 END
WHERE subject = %(subject)s
"""


@contextmanager
def syncing(settings: Settings, start: datetime | None = START, **discogs_options: Any) -> Iterator[Syncing]:
    """Give a shop on both marketplaces; it is connected to neither yet. Without a `start` it is the world's time."""
    clock = Clock(start)
    ebay, discogs = Ebay(clock), Discogs(clock, **discogs_options)
    with serving(ebay) as ebay_server, serving(discogs) as discogs_server:
        there = replace(settings, ebay_api_url=ebay_server.url, discogs_api_url=discogs_server.url, **EBAY_APPLICATION)
        store = Store(there.database_url, inline_projections(), pool_size=2)
        try:
            with Marketplaces(there, clock.now, clock.move) as marketplaces:
                found = Syncing(there, Bus(store, clock.now), clock, ebay, discogs, marketplaces)
                found.keep_rates()
                yield found
                found.desk.line.close()
        finally:
            store.close()

"""A shop on two marketplaces whose time only moves when a test moves it: real tables, real commands, real HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.connection import CreateConnection, NoteVerified
from commands.inventory import CreateItem
from commands.organization import CreateOrganization
from commands.presence import CreatePresence
from commands.product import CreateProduct
from commands.settings import Settings
from commands.store import Store
from commands.task import FailTask
from commands.vault import Vault
from commands.work import Context
from domain.connection.form import CREATE as CONNECTION
from domain.inventory.form import CREATE as ITEM
from domain.presence.form import CREATE as PRESENCE
from domain.rates import DayRates
from projections.inline import inline_projections
from projections.rates import Rates
from sandbox.clock import Clock
from sandbox.discogs import Discogs
from sandbox.ebay import Ebay
from sandbox.ebay_tokens import SCOPE
from sandbox.server import serving
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


class Syncing:
    """The shop, and the workers' turn at it: `run` does what is due, one after the other, as time goes by."""

    def __init__(self, settings: Settings, bus: Bus, clock: Clock, ebay: Ebay, discogs: Discogs) -> None:
        self.settings = settings
        self.bus = bus
        self.clock = clock
        self.ebay = ebay
        self.discogs = discogs
        self.context = Context(uuid7(), "key_1", "request-1")
        self.connections: dict[str, UUID] = {}
        self._vault = Vault(settings.secret_key)
        self.marketplaces = Marketplaces(settings, clock.now, clock.move)
        desk = Desk(settings, bus, self.marketplaces, Turns(), clock.now, lambda: 0.5)
        self._kinds = {kind.name: kind for kind in sync_kinds(desk)}
        bus.execute(CreateOrganization(self.context.organization, f"Shop {self.context.organization}"), self.context)

    def connect(self, platform: str, **fields: Any) -> UUID:
        """Connect a marketplace that lets us in."""
        id = uuid7()
        values = CONNECTION.parse({"platform_uid": platform, "interval_minutes": 60, **fields}).values
        secret = {"token": self.discogs.token} if platform == DISCOGS else {"refresh_token": self.ebay_consent()}
        sealed = self._vault.seal(id, secret)
        self.bus.execute(CreateConnection(id=id, values=values, sealed=sealed), self.context)
        self.bus.execute(NoteVerified(id=id), self.context)
        self.connections[platform] = id
        return id

    def ebay_consent(self) -> str:
        return self.ebay.tokens.granted(frozenset({f"{SCOPE}/sell.inventory", f"{SCOPE}/sell.fulfillment"}))

    def product(self, **values: Any) -> UUID:
        id: UUID = uuid7()
        self.bus.execute(
            CreateProduct(id=id, values={"title": "Abbey Road", "type": "physical", **values}), self.context
        )
        return id

    def item(self, product: UUID, **fields: Any) -> UUID:
        id: UUID = uuid7()
        values = ITEM.parse({"status": "listed", **fields}).values
        self.bus.execute(CreateItem(id=id, product=product, values=values), self.context)
        return id

    def presence(self, product: UUID, platform: str, listing: str, **fields: Any) -> UUID:
        id: UUID = uuid7()
        currency = "USD" if platform == EBAY else self.discogs.shop.currency
        shown = {"status": "active", "listing_currency": currency, "is_selling_enabled": True, **fields}
        values = PRESENCE.parse({"platform_uid": platform, "external_listing_id": listing, **shown}).values
        self.bus.execute(CreatePresence(id=id, product=product, values=values), self.context)
        return id

    def listed_on(self, platform: str, price: str, sku: str) -> str:
        """Put something up on the marketplace; return the listing's id."""
        if platform == EBAY:
            return str(self.ebay.shop.add({"price": price, "sku": sku})["listingId"])
        return str(self.discogs.shop.add({"price": price, "external_id": sku})["id"])

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.database_url) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def run(self, seconds: float) -> int:
        """Let so much time go by, in which the workers do what is due; return how many attempts there were."""
        until, attempts = self.clock.now() + timedelta(seconds=seconds), 0
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            while (found := connection.execute(_NEXT, [[*self._kinds], until]).fetchone()) is not None:
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
    SELECT subject FROM todo WHERE kind = ANY(%s) AND dead_since IS NULL AND due <= %s ORDER BY due, subject LIMIT 1
) RETURNING subject, kind, due, attempts, fruitless
"""
_AGAIN = """
UPDATE todo SET due = CASE WHEN due = %(due)s THEN %(again)s ELSE due END, error = %(reason)s,
    attempts = CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE attempts END,
    fruitless = CASE WHEN %(reason)s::text IS NULL THEN 0 ELSE fruitless - 1 END
WHERE subject = %(subject)s
"""


@contextmanager
def syncing(settings: Settings, **discogs_options: Any) -> Iterator[Syncing]:
    """Give a shop on both marketplaces; it is connected to neither yet."""
    clock = Clock(START)
    ebay, discogs = Ebay(clock), Discogs(clock, **discogs_options)
    with serving(ebay) as ebay_server, serving(discogs) as discogs_server:
        there = replace(settings, ebay_api_url=ebay_server.url, discogs_api_url=discogs_server.url, **EBAY_APPLICATION)
        store = Store(there.database_url, inline_projections(), pool_size=2)
        try:
            with Rates(there.database_url) as rates:
                rates.keep(DayRates(day=START.date(), per_euro={"EUR": Decimal(1), **PER_EURO}), "test")
            found = Syncing(there, Bus(store, clock.now), clock, ebay, discogs)
            with found.marketplaces:
                yield found
        finally:
            store.close()

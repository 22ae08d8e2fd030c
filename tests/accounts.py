"""Accounts as workers open them, on the test servers: sealed credentials, real limits, a time that the test moves."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.settings import Settings
from commands.vault import Vault
from domain.presence.listing import Listing
from projections.budget import Breaker, Budget, Standing
from projections.credential import Credentials
from tests.conftest import SECRET, empty_database
from tests.marketplaces import Marketplace
from workers.marketplaces.base import Account
from workers.marketplaces.registry import Marketplaces

APPLICATION = {
    "ebay_client_id": "client-id",
    "ebay_client_secret": "client-secret",
    "ebay_ru_name": "Deadwax-RuName",
    "discogs_consumer_key": "consumer-key",
    "discogs_consumer_secret": "consumer-secret",
}


@pytest.fixture(scope="session")
def _limits_database(engines: tuple[Settings, str]) -> Iterator[str]:
    with empty_database(*engines) as url:
        yield url


@pytest.fixture
def limits(_limits_database: str, engines: tuple[Settings, str]) -> Settings:
    """Settings with a database where nobody has spent of any limit. It is shared: a copy takes longer than a test."""
    with psycopg.connect(_limits_database, autocommit=True) as database:
        database.execute("TRUNCATE budget, breaker, credential")
    return replace(engines[0], database_url=_limits_database, secret_key=SECRET)


class Opened(NamedTuple):
    """An account, and what it is made of. Time goes by as the market's own does: by waiting."""

    account: Account
    market: Marketplace
    connection: UUID
    budget: Budget
    marketplaces: Marketplaces
    credentials: Credentials
    slept: list[float]

    @property
    def now(self) -> datetime:
        return self.market.vendor.clock.now()

    def standing(self) -> dict[str, Standing]:
        return {standing.key: standing for standing in self.budget.standing(self.now)}

    def breaker(self) -> Breaker | None:
        found = {breaker.connection: breaker for breaker in self.budget.breakers(self.now)}
        return found.get(self.connection)

    def calls(self) -> dict[str, int]:
        """Return how often the marketplace was asked for what, without tokens, and begin counting anew."""
        found = {call: count for call, count in self.market.vendor.calls.items() if "/identity/" not in call}
        self.market.vendor.calls.clear()
        return found


def settings_of(settings: Settings, market: Marketplace) -> Settings:
    url = {f"{market.vendor.name}_api_url": market.url}
    return replace(settings, **url, **APPLICATION)


def credentials_of(market: Marketplace) -> dict[str, str]:
    if market.vendor.name == "discogs":
        return {"token": "discogs-token"}
    return {"refresh_token": market.admin("consents")["refresh_token"]}


@contextmanager
def opened(
    settings: Settings,
    market: Marketplace,
    credentials: Mapping[str, str] | None = None,
    check: Callable[[], None] = lambda: None,
    answer_seconds: float = 5.0,
) -> Iterator[Opened]:
    """Give an account of a connection of its own."""
    there, connection, slept = settings_of(settings, market), uuid7(), list[float]()
    sealed = Vault(there.secret_key).seal(connection, credentials or credentials_of(market))
    with psycopg.connect(there.database_url, autocommit=True) as database:
        database.execute("SELECT put_credential(%s, %s, %s)", [connection, uuid7(), sealed])

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        market.vendor.clock.move(seconds)

    clock = market.vendor.clock.now
    with Marketplaces(there, clock, sleep, answer_seconds) as marketplaces, Credentials(there.database_url) as held:
        account = marketplaces.account(connection, f"plat_{market.vendor.name}", held, check)
        yield Opened(account, market, connection, Budget(held), marketplaces, held, slept)


def listing(external_id: object, currency: str = "USD", **known: object) -> Listing:
    """Return a listing with little known of it."""
    return Listing(uuid7(), uuid7(), str(external_id), currency, **known)  # type: ignore[arg-type] # as it is given

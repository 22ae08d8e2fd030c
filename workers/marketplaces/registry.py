"""From a connection to its account: one line a marketplace."""

import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from commands import ebay_application
from commands.settings import Settings
from commands.vault import Vault
from commands.web import ANSWER_SECONDS, Web, user_agent
from projections.budget import Budget
from projections.credential import Credentials
from workers.marketplaces.base import Account, Permanent
from workers.marketplaces.discogs import DiscogsAccount
from workers.marketplaces.discogs_api import DiscogsApi, Signature
from workers.marketplaces.discogs_tokens import DiscogsTokens
from workers.marketplaces.ebay import EbayAccount, EbayApplication, EbayTokens
from workers.marketplaces.ebay_api import EbayApi
from workers.marketplaces.ebay_notifications import EbayNotifications, EbaySeller
from workers.marketplaces.gate import Gate, Timing, utc_now


def _go_on() -> None:
    """There is nobody to say that it is to stop."""


class Marketplaces:
    """What all accounts of a process share. A test's `clock` and `sleep` are its own."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._settings = settings
        self._timing = Timing(clock, sleep)
        self._web = Web(answer_seconds)
        self._vault = Vault(settings.secret_key, settings.previous_secret_key)
        self._ebay = ebay_application.EbayApplication(self._web, settings, self._seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._web.close()

    def account(
        self,
        connection: UUID,
        platform_uid: str,
        credentials: Credentials,
        check: Callable[[], None] = _go_on,
    ) -> Account:
        """Return an account for one thread, which asks the database by `credentials`. `check` is asked right before
        each request and while it waits for its turn: what it raises goes through.

        Raises MarketplaceError, Unsealable, Unavailable.
        """
        settings = self._settings
        gate = Gate(self._web, Budget(credentials), connection, check, self._timing)
        match platform_uid:
            case "plat_ebay":
                tokens = EbayTokens(self._web, settings, self._vault, credentials, connection, self._seconds)
                return EbayAccount(EbayApi(gate, settings, tokens, EbayApplication(self._ebay)))
            case "plat_discogs":
                opened = DiscogsTokens(self._web, settings, self._vault, credentials, connection).opened()
                signature = Signature(opened, settings.discogs_consumer_key, settings.discogs_consumer_secret)
                agent = user_agent(settings.public_url)
                return DiscogsAccount(DiscogsApi(gate, settings.discogs_api_url, agent, signature))
        raise Permanent("There is no connector for this platform.")

    def notifications(self, connection: UUID, credentials: Credentials) -> EbayNotifications:
        """Return what has eBay send notifications of a connection."""
        settings = self._settings
        tokens = EbayTokens(self._web, settings, self._vault, credentials, connection, self._seconds)
        seller = EbaySeller(self._web, settings.ebay_api_url, tokens)
        return EbayNotifications(self._ebay, seller.send, settings.mail_from)

    def _seconds(self) -> float:
        return self._timing.now().timestamp()

"""From a connection to its account: one line a marketplace."""

from types import TracebackType
from typing import Self
from uuid import UUID

from commands.ebay_application import EbayApplication
from commands.settings import Settings
from commands.vault import Vault
from commands.web import Web, user_agent
from projections.credential import Credentials
from workers.marketplaces.base import Account, Permanent
from workers.marketplaces.discogs import DiscogsAccount
from workers.marketplaces.discogs_tokens import DiscogsTokens
from workers.marketplaces.ebay import EbayAccount, EbayTokens
from workers.marketplaces.ebay_notifications import EbayNotifications, EbaySeller


class Marketplaces:
    """What all accounts of a process share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._web = Web()
        self._vault = Vault(settings.secret_key, settings.previous_secret_key)
        self._ebay_application = EbayApplication(self._web, settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._web.close()

    def account(self, connection: UUID, platform_uid: str, credentials: Credentials) -> Account:
        """Raises MarketplaceError, Unsealable, Unavailable."""
        settings = self._settings
        match platform_uid:
            case "plat_ebay":
                tokens = EbayTokens(self._web, settings, self._vault, credentials, connection)
                return EbayAccount(self._web, settings.ebay_api_url, tokens)
            case "plat_discogs":
                sign = DiscogsTokens(self._web, settings, self._vault, credentials, connection).signing()
                return DiscogsAccount(self._web, settings.discogs_api_url, user_agent(settings.public_url), sign)
        raise Permanent("There is no connector for this platform.")

    def notifications(self, connection: UUID, credentials: Credentials) -> EbayNotifications:
        """Return what has eBay send notifications of a connection."""
        settings = self._settings
        tokens = EbayTokens(self._web, settings, self._vault, credentials, connection)
        seller = EbaySeller(self._web, settings.ebay_api_url, tokens)
        return EbayNotifications(self._ebay_application, seller.send, settings.mail_from)

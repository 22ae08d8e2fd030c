"""From a connection to its account: one line a marketplace."""

from types import TracebackType
from typing import Self
from uuid import UUID

from commands.settings import Settings
from commands.vault import Vault
from projections.credential import Credentials
from workers.marketplaces.base import Account, Permanent, Reconnect
from workers.marketplaces.discogs import DiscogsAccount
from workers.marketplaces.ebay import EbayAccount, EbayTokens
from workers.web import USER_AGENT, Web


class Marketplaces:
    """What all accounts of a process share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._web = Web()
        self._vault = Vault(settings.secret_key, settings.previous_secret_key)

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
                with credentials.held(connection) as held:
                    if held.sealed is None:
                        raise Reconnect("There are no credentials.")
                    token = self._vault.open(connection, held.sealed)["token"]
                about = f" +{settings.public_url}" if settings.public_url else ""
                return DiscogsAccount(self._web, settings.discogs_api_url, USER_AGENT + about, token)
        raise Permanent("There is no connector for this platform.")

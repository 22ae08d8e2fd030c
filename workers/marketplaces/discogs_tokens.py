"""What opens an account at Discogs: a personal token, or one that a seller consented to."""

from collections.abc import Mapping
from uuid import UUID

from commands.discogs_oauth import NOT_SET_UP, Declined, DiscogsOAuth, Token
from commands.settings import Settings
from commands.vault import Vault
from commands.web import Unreachable, Unreadable, Web
from projections.credential import Credentials, Held
from workers.marketplaces.base import Permanent, Reconnect, Transient


class DiscogsTokens:
    """What is kept of one connection is `token` (a personal one), `oauth_token` and `oauth_token_secret`, or what the
    seller came back with, which the first who needs it gets those for: `request_token`, `request_token_secret` and
    `verifier`.
    """

    def __init__(self, web: Web, settings: Settings, vault: Vault, credentials: Credentials, connection: UUID) -> None:
        self._oauth = DiscogsOAuth(web, settings)
        self._vault = vault
        self._credentials = credentials
        self._connection = connection

    def opened(self) -> Mapping[str, str]:
        """Return what requests are signed with. Raises MarketplaceError, Unsealable, Unavailable."""
        with self._credentials.held(self._connection) as held:
            if held.sealed is None:
                raise Reconnect("There are no credentials.")
            known = self._vault.open(self._connection, held.sealed)
            if "token" not in known and not self._oauth.is_set_up:
                raise Permanent(NOT_SET_UP)
            return self._exchanged(held, known) if "verifier" in known else known

    def _exchanged(self, held: Held, known: Mapping[str, str]) -> Mapping[str, str]:
        token = Token(known["request_token"], known["request_token_secret"])
        try:
            found = self._oauth.access_token(token, known["verifier"])
        except (Unreachable, Unreadable) as error:
            raise Transient(str(error)) from error
        except Declined as error:
            if error.is_passing:
                raise Transient(str(error)) from error
            raise Reconnect("Discogs does not take the consent, or took it already: connect again.") from error
        fresh = {"oauth_token": found.key, "oauth_token_secret": found.secret}
        held.replace(self._vault.seal(self._connection, fresh))
        return fresh

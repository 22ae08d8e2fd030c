"""Discogs' OAuth 1.0a with PLAINTEXT signatures: how requests are signed, and the two steps that get a seller's token.

Between the two the seller consents on Discogs' own page, which sends them back with a verifier, good once and for a
quarter of an hour. The token that comes of it has no end.
"""

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, quote

from commands.settings import Settings
from commands.web import Unreadable, Web, user_agent
from domain.errors import DeadwaxError

NOT_SET_UP = "DISCOGS_CONSUMER_KEY and DISCOGS_CONSUMER_SECRET are not set."
_MAX_TOKEN_CHARACTERS = 500


class Declined(DeadwaxError):
    """Discogs gave no token. `status` is what it answered with."""

    def __init__(self, status: int, is_page: bool) -> None:
        super().__init__(f"Discogs gave no token (status {status}).")
        self.status = status
        # What stands before Discogs answers for itself: that says nothing of the request.
        self.is_passing = is_page or status == 429 or status >= 500


class Token(NamedTuple):
    """A token and the secret that requests with it are signed with."""

    key: str
    secret: str


class DiscogsOAuth:
    """`clock` gives seconds since 1970."""

    def __init__(self, web: Web, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._web = web
        self._settings = settings
        self._clock = clock

    @property
    def is_set_up(self) -> bool:
        return bool(self._settings.discogs_consumer_key and self._settings.discogs_consumer_secret)

    def authorization(self, token: Token | None = None, **more: str) -> str:
        """Return the Authorization header of one request. Each needs its own: none is taken twice."""
        settings = self._settings
        signature = f"{_quoted(settings.discogs_consumer_secret)}&{_quoted(token.secret) if token else ''}"
        said = {
            "oauth_consumer_key": settings.discogs_consumer_key,
            "oauth_nonce": secrets.token_urlsafe(16),
            "oauth_signature": signature,
            "oauth_signature_method": "PLAINTEXT",
            "oauth_timestamp": f"{self._clock():.0f}",
            **({"oauth_token": token.key} if token else {}),
            **more,
        }
        return "OAuth " + ", ".join(f'{name}="{_quoted(value)}"' for name, value in said.items())

    def request_token(self, callback: str) -> Token:
        """Begin: return the token that the seller is sent to consent with. Raises Declined, Unreachable, Unreadable."""
        return self._asked("GET", "/oauth/request_token", self.authorization(oauth_callback=callback))

    def consent_url(self, token: Token) -> str:
        return f"{self._settings.discogs_auth_url}/oauth/authorize?oauth_token={_quoted(token.key)}"

    def access_token(self, token: Token, verifier: str) -> Token:
        """Return the seller's token, once for each verifier. Raises Declined, Unreachable, Unreadable."""
        return self._asked("POST", "/oauth/access_token", self.authorization(token, oauth_verifier=verifier))

    def _asked(self, method: str, path: str, authorization: str) -> Token:
        headers = {
            "Authorization": authorization,
            "User-Agent": user_agent(self._settings.public_url),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        reply = self._web.send(method, f"{self._settings.discogs_api_url}{path}", headers=headers)
        if reply.status != 200:
            raise Declined(reply.status, "html" in reply.headers.get("content-type", ""))
        try:
            said = parse_qs(reply.body.decode("ascii"), strict_parsing=True, max_num_fields=20)
            [key], [secret] = said["oauth_token"], said["oauth_token_secret"]
        except (KeyError, ValueError) as error:
            raise Unreadable("Discogs' answer has no token.") from error
        if max(len(key), len(secret)) > _MAX_TOKEN_CHARACTERS:
            raise Unreadable("Discogs' answer has no token.")
        return Token(key, secret)


def _quoted(text: str) -> str:
    """Return text as OAuth 1.0a spells it (RFC 5849, 3.6)."""
    return quote(text, safe="-._~")

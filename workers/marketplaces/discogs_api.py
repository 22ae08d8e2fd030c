"""How Discogs is asked: signed, at the pace of one address, which its answers correct."""

import secrets
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec

from commands.web import Reply
from projections.budget import Spend
from workers.marketplaces.base import Reconnect
from workers.marketplaces.gate import Gate

KEY = "discogs"
"""One for the deployment: what is counted is the address that requests come from."""
WINDOW_SECONDS, LIMIT = 60.0, 60
USED = 0.9
"""So much of the limit is used, spread evenly: what is late on its way does not make too many in a window."""
LOW = 5
"""With fewer left than this somebody else spends too, and the pace falls until there are more."""
Query = Mapping[str, str | int]
_ACCEPT = "application/vnd.discogs.v2.discogs+json"
_encode = msgspec.json.Encoder(decimal_format="number").encode


def pace_seconds(limit: int) -> float:
    """Return how far apart requests are, of which there may be `limit` in a window."""
    return WINDOW_SECONDS / (limit * USED)


class Signature:
    """What requests are signed with: a personal token, or what a seller consented to by OAuth 1.0a."""

    def __init__(self, credentials: Mapping[str, str], consumer_key: str, consumer_secret: str) -> None:
        self._credentials = credentials
        self._consumer_key = consumer_key
        self._consumer_secret = consumer_secret

    def header(self, at: float) -> str:
        """Return the Authorization of a request that is made now, in seconds since 1970. Raises Reconnect."""
        if "token" in self._credentials:
            token = self._credentials["token"]
            if not (token.isascii() and token.isprintable()):
                raise Reconnect("This is no token of Discogs: it has letters and digits only.")
            return f"Discogs token={token}"
        key, secret = self._credentials.get("oauth_token"), self._credentials.get("oauth_token_secret")
        if key is None or secret is None:
            raise Reconnect("There are no credentials.")
        if not (self._consumer_key and self._consumer_secret):
            raise Reconnect("DISCOGS_CONSUMER_KEY and DISCOGS_CONSUMER_SECRET are not set.")
        fields = {
            "oauth_consumer_key": self._consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_token": key,
            "oauth_signature": f"{quote(self._consumer_secret, safe='')}&{quote(secret, safe='')}",
            "oauth_signature_method": "PLAINTEXT",
            "oauth_timestamp": f"{at:.0f}",
            "oauth_version": "1.0",
        }
        return "OAuth " + ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in fields.items())


class DiscogsApi:
    """`user_agent` has to be one that is ours alone: without it nothing is answered."""

    def __init__(self, gate: Gate, url: str, user_agent: str, signature: Signature) -> None:
        self.gate = gate
        self._url = url
        self._user_agent = user_agent
        self._signature = signature
        self._spends = [Spend(KEY, pace_seconds=pace_seconds(LIMIT))]

    def asked(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        is_trial: bool = False,
    ) -> Reply:
        """Return 2xx, or a refusal of what was asked. Raises Transient, Reconnect, Unavailable."""
        content = None if body is None else _encode(body)
        url = f"{self._url}{path}" + (f"?{urlencode(query)}" if query else "")

        def signed() -> Mapping[str, str]:
            headers = {"User-Agent": self._user_agent, "Accept": _ACCEPT}
            headers["Authorization"] = self._signature.header(self.gate.now().timestamp())
            return headers if content is None else {**headers, "Content-Type": "application/json"}

        reply = self.gate.send(method, url, self._spends, headers=signed, body=content, is_trial=is_trial)
        self._correct(reply.headers)
        if reply.status == 401:
            raise Reconnect("The marketplace refused the credentials (status 401).")
        return reply

    def _correct(self, headers: Mapping[str, str]) -> None:
        """Keep what is left by their count, which has everybody's requests from this address."""
        limit, left = _number(headers, "x-discogs-ratelimit"), _number(headers, "x-discogs-ratelimit-remaining")
        if not limit or left is None:
            return
        pace = pace_seconds(limit)
        # With none left, what was counted is forgotten one window later.
        pause = WINDOW_SECONDS if left == 0 else pace * max(0, LOW - left)
        self.gate.correct(KEY, None if limit == LIMIT else pace, left, pause)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None

"""Discogs' OAuth 1.0a with PLAINTEXT signatures, in its three steps, and the page on which the seller consents.

Every request names its moment and has a nonce of its own; a verifier is good once and for a quarter of an hour.
"""

import html
import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from sandbox.clock import Clock
from sandbox.discogs_refusals import refused
from sandbox.wire import Reply, Request

VERIFIER_SECONDS, LEEWAY_SECONDS = 900, 300
FORM = "application/x-www-form-urlencoded"
_FIELD = re.compile(r'(oauth_[a-z_]+|realm)="((?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*)"\Z')
_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Discogs sandbox</title></head>
<body><h1>Allow Deadwax sandbox to act for {username}?</h1>
<p><a href="{allow}">Authorize</a> <a href="{deny}">Deny</a></p></body></html>"""


class DiscogsOAuth:
    def __init__(self, clock: Clock, username: str = "seller") -> None:
        self._clock = clock
        self._username = username
        self.consumer = ("consumer-key", "consumer-secret")
        self._request_tokens: dict[str, dict[str, str]] = {}
        self._access_tokens: dict[str, str] = {}
        self._nonces: set[tuple[str, str, str]] = set()

    def is_signed(self, authorization: str) -> bool:
        """Say whether the header is signed with a token that a seller consented to."""
        said = _oauth_fields(authorization)
        secret = self._access_tokens.get(said.get("oauth_token", ""))
        return secret is not None and self._fault(said, secret) is None

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/authorize" and request.method == "GET":
            return self._consent(request)
        if request.path == "/oauth/request_token" and request.method == "GET":
            return self._begin(_oauth_fields(request.headers.get("authorization", "")))
        if request.path == "/oauth/access_token" and request.method == "POST":
            return self._end(_oauth_fields(request.headers.get("authorization", "")))
        raise refused(404, violation="path")

    def _begin(self, said: dict[str, str]) -> Reply:
        self._check(said, "")
        callback = said.get("oauth_callback", "")
        if callback != "oob" and not callback.startswith(("http://", "https://")):
            raise refused(400, "Invalid callback.", "callback")
        key, secret = secrets.token_urlsafe(20), secrets.token_urlsafe(20)
        self._request_tokens[key] = {"secret": secret, "callback": callback}
        return _form({"oauth_token": key, "oauth_token_secret": secret, "oauth_callback_confirmed": "true"})

    def _consent(self, request: Request) -> Reply:
        """Show what a browser shows; with `allow` or `deny` send it back, as its buttons do."""
        key = request.parameter("oauth_token") or ""
        found = self._request_tokens.get(key)
        if found is None or "verifier" in found:
            raise refused(404)
        if request.parameter("deny") is not None:
            del self._request_tokens[key]
            return Reply(302, headers={"Location": _with(found["callback"], {"denied": key})})
        if request.parameter("allow") is None:
            here = f"{request.path}?oauth_token={quote(key, safe='')}&"
            page = _PAGE.format(
                username=html.escape(self._username),
                allow=html.escape(f"{here}allow=1"),
                deny=html.escape(f"{here}deny=1"),
            )
            return Reply(200, page.encode(), content_type="text/html; charset=utf-8")
        found["verifier"] = secrets.token_urlsafe(8)
        found["until"] = (self._clock.now() + timedelta(seconds=VERIFIER_SECONDS)).isoformat()
        if found["callback"] == "oob":
            return Reply(200, found["verifier"].encode(), content_type="text/plain")
        brought = {"oauth_token": key, "oauth_verifier": found["verifier"]}
        return Reply(302, headers={"Location": _with(found["callback"], brought)})

    def _end(self, said: dict[str, str]) -> Reply:
        found = self._request_tokens.get(said.get("oauth_token", ""), {})
        self._check(said, found.get("secret"))
        if "verifier" not in found or said.get("oauth_verifier") != found["verifier"]:
            raise refused(401, "Invalid verifier.", "verifier")
        # Once, whatever becomes of it.
        del self._request_tokens[said["oauth_token"]]
        if self._clock.now() > datetime.fromisoformat(found["until"]):
            raise refused(401, "The verifier has expired.")
        key, secret = secrets.token_urlsafe(20), secrets.token_urlsafe(20)
        self._access_tokens[key] = secret
        return _form({"oauth_token": key, "oauth_token_secret": secret})

    def revoke(self) -> None:
        """End what sellers consented to, as they may on their own page there."""
        self._access_tokens.clear()

    def _check(self, said: dict[str, str], token_secret: str | None) -> None:
        if (fault := self._fault(said, token_secret)) is not None:
            raise refused(401, f"Invalid {fault}.", fault)

    def _fault(self, said: dict[str, str], token_secret: str | None) -> str | None:
        """Say which part of a signed request is wrong; None for a right one, whose nonce is used up then."""
        if said.get("oauth_consumer_key") != self.consumer[0]:
            return "consumer"
        if said.get("oauth_signature_method") != "PLAINTEXT" or said.get("oauth_version", "1.0") != "1.0":
            return "signature_method"
        if token_secret is None:
            return "token"
        if said.get("oauth_signature") != f"{quote(self.consumer[1], safe='')}&{quote(token_secret, safe='')}":
            return "signature"
        stamp, nonce = said.get("oauth_timestamp", ""), said.get("oauth_nonce", "")
        if not stamp.isascii() or not stamp.isdigit() or not self._is_now(int(stamp[:15])):
            return "timestamp"
        used = (said.get("oauth_token", ""), stamp, nonce)
        if not nonce or used in self._nonces:
            return "nonce"
        self._nonces.add(used)
        return None

    def _is_now(self, stamp: int) -> bool:
        # Whoever asks may go by the world's clock while this one stands.
        clocks = (self._clock.now(), datetime.now(UTC))
        return any(abs(clock.timestamp() - stamp) <= LEEWAY_SECONDS for clock in clocks)


def _form(said: dict[str, str]) -> Reply:
    return Reply(200, urlencode(said).encode(), content_type=FORM)


def _with(url: str, more: dict[str, str]) -> str:
    """Return an address with more in its query, whatever is there already."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *more.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _oauth_fields(header: str) -> dict[str, str]:
    """Return the parameters of an Authorization header of OAuth 1.0a: each once, quoted and percent-encoded. Whatever
    is no such header has none."""
    if not header.startswith("OAuth "):
        return {}
    found: dict[str, str] = {}
    for part in header.removeprefix("OAuth ").split(","):
        field = _FIELD.match(part.strip())
        if field is None or field[1] in found:
            return {}
        found[field[1]] = unquote(field[2])
    return found

"""eBay's OAuth: consent, codes, tokens and what a day's number of them is."""

import base64
import binascii
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from sandbox.clock import Clock
from sandbox.wire import Refusal, Reply, Request, answered

SCOPE = "https://api.ebay.com/oauth/api_scope"
ACCESS_SECONDS, REFRESH_SECONDS, CODE_SECONDS = 7200, 47_304_000, 299
MINTED_A_DAY = {"client_credentials": 1_000, "authorization_code": 10_000, "refresh_token": 50_000}


def refused(status: int, error: str, description: str, violation: str) -> Refusal:
    return Refusal(answered({"error": error, "error_description": description}, status), violation)


class Tokens:
    """One application, known by its id and secret, whose RuName stands for `callback_url`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.client_id, self.client_secret, self.ru_name = "client-id", "client-secret", "Deadwax-RuName"
        self.callback_url = "http://127.0.0.1:8000/api/v1/marketplace-connections/callback/"
        self._codes: dict[str, tuple[datetime, frozenset[str]]] = {}
        self.refresh_tokens: dict[str, frozenset[str]] = {}
        self._access: dict[str, tuple[datetime, frozenset[str], bool]] = {}
        self._minted: Counter[tuple[date, str]] = Counter()
        self._made = 0

    def consent(self, request: Request) -> Reply:
        """Send whoever is sent here back with a code: they consent."""
        asked = {name: request.parameter(name) or "" for name in ("client_id", "redirect_uri", "scope", "state")}
        if asked["client_id"] != self.client_id or request.parameter("response_type") != "code":
            raise refused(400, "invalid_request", "unknown client or response type", "consent")
        if asked["redirect_uri"] != self.ru_name:
            raise refused(400, "invalid_request", "redirect_uri is the RuName, not an address", "consent")
        code = f"v^1.1#code-{self._next()}"
        until = self._clock.now() + timedelta(seconds=CODE_SECONDS)
        self._codes[code] = (until, frozenset(asked["scope"].split()))
        query = urlencode({"state": asked["state"], "code": code, "expires_in": CODE_SECONDS})
        return Reply(302, headers={"Location": f"{self.callback_url}?{query}"})

    def granted(self, scopes: frozenset[str]) -> str:
        """Return a new refresh token of the seller's."""
        token = f"v^1.1#refresh-{self._next()}"
        self.refresh_tokens[token] = scopes
        return token

    def mint(self, request: Request) -> Reply:
        self._authenticate(request)
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise refused(400, "invalid_request", "the body is a form", "content_type")
        said = {name: values[-1] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        grant = said.get("grant_type", "")
        if grant not in MINTED_A_DAY:
            raise refused(400, "unsupported_grant_type", "the grant is not known", "grant")
        day = (self._clock.now().date(), grant)
        self._minted[day] += 1
        if self._minted[day] > MINTED_A_DAY[grant]:
            raise refused(429, "invalid_request", "too many tokens were minted today", "minted")
        if grant == "client_credentials":
            if said.get("scope") != SCOPE:
                raise refused(400, "invalid_scope", "the scope is unknown", "scope")
            return self._answered(frozenset({SCOPE}), is_user=False)
        if grant == "authorization_code":
            return self._exchanged(said)
        return self._refreshed(said)

    def _authenticate(self, request: Request) -> None:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if scheme != "Basic" or given != f"{self.client_id}:{self.client_secret}":
            raise refused(401, "invalid_client", "client authentication failed", "authorization")

    def _exchanged(self, said: dict[str, str]) -> Reply:
        until, scopes = self._codes.pop(said.get("code", ""), (None, frozenset()))
        if said.get("redirect_uri") != self.ru_name:
            raise refused(400, "invalid_request", "redirect_uri is the RuName", "grant")
        if until is None or self._clock.now() > until:
            raise refused(400, "invalid_grant", "the code is invalid or was issued to another client", "grant")
        return self._answered(scopes, refresh=self.granted(scopes))

    def _refreshed(self, said: dict[str, str]) -> Reply:
        scopes = self.refresh_tokens.get(said.get("refresh_token", ""))
        if scopes is None:
            # Revoked, or never issued: no fault of the request's form.
            raise Refusal(answered({"error": "invalid_grant", "error_description": "the token was revoked"}, 400))
        asked = frozenset(said.get("scope", "").split())
        if not asked <= scopes:
            raise refused(400, "invalid_scope", "the scope exceeds what was granted", "scope")
        return self._answered(asked or scopes)

    def _answered(self, scopes: frozenset[str], *, refresh: str | None = None, is_user: bool = True) -> Reply:
        token = f"v^1.1#access-{self._next()}"
        self._access[token] = (self._clock.now() + timedelta(seconds=ACCESS_SECONDS), scopes, is_user)
        made: dict[str, Any] = {"access_token": token, "expires_in": ACCESS_SECONDS}
        if refresh is not None:
            # An answer to a refresh has none of these.
            made |= {"refresh_token": refresh, "refresh_token_expires_in": REFRESH_SECONDS}
        return answered({**made, "token_type": "User Access Token" if is_user else "Application Access Token"})

    def scopes_of(self, authorization: str) -> tuple[frozenset[str], bool] | None:
        """Return what a Bearer token opens and whether it is a seller's; None where it opens nothing."""
        scheme, _, token = authorization.partition(" ")
        until, scopes, is_user = self._access.get(token, (None, frozenset(), False))
        if scheme != "Bearer" or until is None or self._clock.now() >= until:
            return None
        return scopes, is_user

    def expire(self, *, revoke: bool) -> None:
        """End every access token; with `revoke` the seller's consent too."""
        self._access.clear()
        if revoke:
            self.refresh_tokens.clear()

    def _next(self) -> int:
        self._made += 1
        return self._made

"""eBay: tokens, and what they open."""

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from commands.settings import Settings
from commands.vault import Vault
from commands.web import Unreachable, Unreadable, Web
from projections.credential import Credentials, Held
from workers.marketplaces.base import Permanent, Reconnect, Transient, asked, retry_after

EARLY_SECONDS = 120.0
"""So long before its end a token is not used any more: it is to last for the request."""
NO_APPLICATION = "EBAY_CLIENT_ID and EBAY_CLIENT_SECRET are not set."


class EbayTokens:
    """Access tokens of one connection. Whoever needs a new one first gets it; the others wait and use it."""

    def __init__(
        self,
        web: Web,
        settings: Settings,
        vault: Vault,
        credentials: Credentials,
        connection: UUID,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._web = web
        self._settings = settings
        self._vault = vault
        self._credentials = credentials
        self._connection = connection
        self._clock = clock

    def access(self, but: str | None = None) -> str:
        """Return a token that is good, and not `but`, which was refused. Raises MarketplaceError, Unavailable."""
        with self._credentials.held(self._connection) as held:
            if held.sealed is None:
                raise Reconnect("There are no credentials.")
            known = self._vault.open(self._connection, held.sealed)
            token = known.get("access_token")
            if token is not None and token != but and float(known["until"]) - EARLY_SECONDS > self._clock():
                return token
            return self._renewed(held, known)

    def _renewed(self, held: Held, known: Mapping[str, str]) -> str:
        if "code" in known:
            form = {"grant_type": "authorization_code", "code": known["code"]}
            answer = self._minted({**form, "redirect_uri": self._settings.ebay_ru_name})
        else:
            answer = self._minted({"grant_type": "refresh_token", "refresh_token": known["refresh_token"]})
        try:
            token, until = str(answer["access_token"]), self._clock() + float(answer["expires_in"])
            # Only an answer to a code has one: what is kept is not to be lost to a refresh.
            refresh = str(answer.get("refresh_token") or known["refresh_token"])
        except (KeyError, TypeError, ValueError) as error:
            raise Transient("The answer has no token.") from error
        fresh = {"refresh_token": refresh, "access_token": token, "until": f"{until:.0f}"}
        held.replace(self._vault.seal(self._connection, fresh))
        return token

    def _minted(self, form: Mapping[str, str]) -> Any:
        id, secret = self._settings.ebay_client_id, self._settings.ebay_client_secret
        if not (id and secret):
            raise Permanent(NO_APPLICATION)
        basic = base64.b64encode(f"{id}:{secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self._settings.ebay_api_url}/identity/v1/oauth2/token"
        try:
            reply = self._web.send("POST", url, headers=headers, body=urlencode(form).encode())
            if reply.status == 200:
                return reply.json()
            if reply.status == 429 or reply.status >= 500:
                raise Transient(f"eBay gave no token (status {reply.status}).", retry_after(reply.headers))
            answer = reply.json()
        except (Unreachable, Unreadable) as error:
            raise Transient(str(error)) from error
        name = answer.get("error") if isinstance(answer, dict) else None
        if name == "invalid_client":
            raise Permanent("eBay does not know this application: EBAY_CLIENT_ID or EBAY_CLIENT_SECRET is wrong.")
        raise Reconnect("eBay took the consent back, or the code is used up: connect again.")


class EbayAccount:
    def __init__(self, web: Web, api_url: str, tokens: EbayTokens) -> None:
        self._web = web
        self._api_url = api_url
        self._tokens = tokens

    def verify(self) -> None:
        self._asked("GET", "/sell/fulfillment/v1/order?limit=1")

    def _asked(self, method: str, path: str) -> None:
        token = self._tokens.access()
        try:
            self._sent(method, path, token)
        except Reconnect:
            # A token may end before its time; one that is new and refused too will not get better.
            self._sent(method, path, self._tokens.access(but=token))

    def _sent(self, method: str, path: str, token: str) -> None:
        asked(self._web, method, self._api_url + path, headers={"Authorization": f"Bearer {token}"})

"""Access tokens of this deployment's application at eBay: for what is no seller's."""

import base64
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from commands.settings import Settings
from commands.web import Reply, Unreachable, Unreadable, Web
from domain.errors import DeadwaxError

EARLY_SECONDS = 120.0
"""So long before its end a token is not used any more: it is to last for the request."""
NOT_SET_UP = "EBAY_CLIENT_ID and EBAY_CLIENT_SECRET are not set."
WRONG = "eBay does not know this application: EBAY_CLIENT_ID or EBAY_CLIENT_SECRET is wrong."
_SCOPE = "https://api.ebay.com/oauth/api_scope"


class NoToken(DeadwaxError):
    """eBay gave the application no token. `is_passing`: it may, the next time."""

    def __init__(self, message: str, is_passing: bool) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class EbayApplication:
    """What the application itself asks. All threads of a process share its token: eBay gives 1,000 a day, each good for
    two hours. `clock` gives seconds since 1970.
    """

    def __init__(self, web: Web, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._web = web
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def send(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """Ask for something, with a new token where the one we had is refused. Raises NoToken, Unreachable."""
        token = self.access()
        reply = self._sent(method, path, body, token)
        return self._sent(method, path, body, self.access(but=token)) if reply.status == 401 else reply

    def access(self, but: str | None = None) -> str:
        """Return a token that is good, and not `but`, which was refused. Raises NoToken."""
        with self._lock:
            if self._token in {"", but} or self._until - EARLY_SECONDS <= self._clock():
                self._token, self._until = self._minted()
            return self._token

    def _sent(self, method: str, path: str, body: bytes | None, token: str) -> Reply:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._web.send(method, f"{self._settings.ebay_api_url}{path}", headers=headers, body=body)

    def _minted(self) -> tuple[str, float]:
        id, secret = self._settings.ebay_client_id, self._settings.ebay_client_secret
        if not (id and secret):
            raise NoToken(NOT_SET_UP, is_passing=False)
        basic = base64.b64encode(f"{id}:{secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        form = urlencode({"grant_type": "client_credentials", "scope": _SCOPE}).encode()
        url = f"{self._settings.ebay_api_url}/identity/v1/oauth2/token"
        try:
            reply = self._web.send("POST", url, headers=headers, body=form)
            answer: Any = reply.json() if reply.status < 500 else None
        except (Unreachable, Unreadable) as error:
            raise NoToken(str(error), is_passing=True) from error
        try:
            if reply.status == 200:
                return str(answer["access_token"]), self._clock() + float(answer["expires_in"])
        except (KeyError, TypeError, ValueError) as error:
            raise NoToken("The answer has no token.", is_passing=True) from error
        if isinstance(answer, dict) and answer.get("error") == "invalid_client":
            raise NoToken(WRONG, is_passing=False)
        raise NoToken(f"eBay gave no token (status {reply.status}).", is_passing=True)

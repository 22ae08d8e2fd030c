"""Has eBay send notifications of a seller's orders: an address for alerts, the endpoint, and a subscription to it.

All of it may be there already: what is, is left as it is.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from commands.ebay_application import EbayApplication, NoToken
from commands.web import Reply, Unreachable, Unreadable, Web
from workers.marketplaces.base import MarketplaceError, Permanent, Reconnect, Transient, retry_after

BASE = "/commerce/notification/v1"
TOPIC = "ORDER_CONFIRMATION"
MAX_PAGES = 20
_NO_CHALLENGE, _EXISTS = 195020, 195021
_UNHEARD = "eBay could not reach PUBLIC_URL, or was not answered as it wants to be."
_NO_SCOPE = "The seller's consent does not include notifications: authorize again."

Send = Callable[[str, str, bytes | None], Reply]


class Tokens(Protocol):
    def access(self, but: str | None = None) -> str: ...


class EbaySeller:
    """What is asked with the seller's token, and with a new one where that is refused."""

    def __init__(self, web: Web, api_url: str, tokens: Tokens) -> None:
        self._web = web
        self._api_url = api_url
        self._tokens = tokens

    def send(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """Raises MarketplaceError, Unreachable, Unreadable."""
        token = self._tokens.access()
        reply = self._sent(method, path, body, token)
        return self._sent(method, path, body, self._tokens.access(but=token)) if reply.status == 401 else reply

    def _sent(self, method: str, path: str, body: bytes | None, token: str) -> Reply:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._web.send(method, f"{self._api_url}{path}", headers=headers, body=body)


class Endpoint(NamedTuple):
    """Where a connection's notifications go. `name` is what eBay lists it by, `token` what eBay and we alone know."""

    name: str
    url: str
    token: str


class EbayNotifications:
    """`send_as_seller` asks with the seller's token; what is the application's is asked by `application`."""

    def __init__(self, application: EbayApplication, send_as_seller: Send, alert_email: str) -> None:
        self._application = application
        self._send_as_seller = send_as_seller
        self._alert_email = alert_email

    def subscribe(self, endpoint: Endpoint) -> None:
        """Raises MarketplaceError."""
        self._have_alerts_go_somewhere()
        destination = self._destination(endpoint)
        self._have_subscription(destination)

    def _have_alerts_go_somewhere(self) -> None:
        """Keep what somebody else has set."""
        found = self._as_application("GET", "/config")
        if found.status == 200 and _object(found).get("alertEmail"):
            return
        if found.status not in {200, 404, 409}:
            raise _refusal(found)
        set_ = self._as_application("PUT", "/config", {"alertEmail": self._alert_email})
        if set_.status not in {200, 204}:
            raise Permanent(f"eBay does not send alerts to MAIL_FROM (status {set_.status}).")

    def _destination(self, endpoint: Endpoint) -> str:
        """Return the id of the endpoint at eBay."""
        found = self._known_destination(endpoint)
        if found is None:
            made = self._as_application("POST", "/destination", _wanted(endpoint))
            if made.status == 201:
                return _made(made)
            found = self._known_destination(endpoint) if _EXISTS in _error_ids(made) else None
            if found is None:
                raise _refusal(made)
        if found.get("status") != "ENABLED":
            # eBay gave up on it, as it was not answered for a day.
            revived = self._as_application("PUT", f"/destination/{found['destinationId']}", _wanted(endpoint))
            if revived.status not in {200, 204}:
                raise _refusal(revived)
        return str(found["destinationId"])

    def _known_destination(self, endpoint: Endpoint) -> Mapping[str, Any] | None:
        for found in _all(self._as_application, "/destination", "destinations"):
            delivery = found.get("deliveryConfig")
            if isinstance(delivery, dict) and delivery.get("endpoint") == endpoint.url and "destinationId" in found:
                return found
        return None

    def _have_subscription(self, destination: str) -> None:
        found = self._known_subscription(destination)
        if found is None:
            wanted = {
                "topicId": TOPIC,
                "status": "ENABLED",
                "destinationId": destination,
                "payload": {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"},
            }
            made = self._as_seller("POST", "/subscription", wanted)
            if made.status == 201:
                return
            found = self._known_subscription(destination) if made.status == 409 else None
            if found is None:
                raise _refusal(made)
        if found.get("status") != "ENABLED":
            enabled = self._as_seller("POST", f"/subscription/{found['subscriptionId']}/enable")
            if enabled.status not in {200, 204}:
                raise _refusal(enabled)

    def _known_subscription(self, destination: str) -> Mapping[str, Any] | None:
        for found in _all(self._as_seller, "/subscription", "subscriptions"):
            is_it = found.get("topicId") == TOPIC and str(found.get("destinationId")) == destination
            if is_it and "subscriptionId" in found:
                return found
        return None

    def _as_application(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        return _asked(self._application.send, method, path, body)

    def _as_seller(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        return _asked(self._send_as_seller, method, path, body)


def _asked(send: Send, method: str, path: str, body: Mapping[str, Any] | None) -> Reply:
    """Raises Transient where eBay is away or wants to be left alone, Permanent where it does not know us."""
    try:
        reply = send(method, f"{BASE}{path}", None if body is None else msgspec.json.encode(body))
    except (Unreachable, Unreadable) as error:
        raise Transient(str(error)) from error
    except NoToken as error:
        raise (Transient if error.is_passing else Permanent)(str(error)) from error
    if reply.status == 429 or reply.status >= 500 or "html" in reply.headers.get("content-type", ""):
        raise Transient(f"eBay answered with status {reply.status}.", retry_after(reply.headers))
    return reply


def _all(ask: Callable[[str, str], Reply], path: str, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield what a list has on all its pages."""
    query = {"limit": "100"}
    for _ in range(MAX_PAGES):
        reply = ask("GET", f"{path}?{urlencode(query)}")
        if reply.status in {204, 404}:
            return
        if reply.status != 200:
            raise _refusal(reply)
        answer = _object(reply)
        yield from (found for found in answer.get(name) or () if isinstance(found, dict))
        further = answer.get("next")
        if not isinstance(further, str) or not further:
            return
        query = dict(parse_qsl(urlsplit(further).query))


def _wanted(endpoint: Endpoint) -> Mapping[str, Any]:
    delivery = {"endpoint": endpoint.url, "verificationToken": endpoint.token}
    return {"name": endpoint.name, "status": "ENABLED", "deliveryConfig": delivery}


def _made(reply: Reply) -> str:
    """Return the id of what was made, which is in its address alone."""
    id = urlsplit(reply.headers.get("location", "")).path.rstrip("/").rpartition("/")[2]
    if not id:
        raise Transient("eBay does not say what it made.")
    return id


def _object(reply: Reply) -> Mapping[str, Any]:
    try:
        answer = reply.json()
    except Unreadable as error:
        raise Transient(str(error)) from error
    return answer if isinstance(answer, dict) else {}


def _error_ids(reply: Reply) -> set[Any]:
    try:
        errors = reply.json()["errors"]
        return {error["errorId"] for error in errors}
    except (Unreadable, KeyError, TypeError):
        return set()


def _refusal(reply: Reply) -> MarketplaceError:
    ids = _error_ids(reply)
    if _NO_CHALLENGE in ids:
        # A proxy that is still starting, a name that is not known everywhere yet: it may be right the next time.
        return Transient(_UNHEARD)
    if reply.status in {401, 403}:
        return Reconnect(_NO_SCOPE)
    told = f", error {min(map(str, ids))}" if ids else ""
    return Permanent(f"eBay does not send notifications (status {reply.status}{told}).")

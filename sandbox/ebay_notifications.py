"""eBay's Notification API: where alerts go, destinations that prove themselves, subscriptions, keys, deliveries.

A destination is asked with a challenge before it is taken; what is sent is signed with ECDSA over SHA-1, and sent again
until it is acknowledged; after a day without that the destination is given up. An endpoint has to be https, unless
`allows_http` is set: on one machine there is none.
"""

import base64
import hashlib
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.clock import Clock, utc
from sandbox.ebay_tokens import SCOPE
from sandbox.ebay_wire import refused
from sandbox.wire import Refusal, Reply, Request, answered

BASE = "/commerce/notification/v1"
ORDER = "ORDER_CONFIRMATION"
TOPICS: dict[str, set[str]] = {ORDER: {f"{SCOPE}/sell.fulfillment"}, "MARKETPLACE_ACCOUNT_DELETION": set()}
SUBSCRIPTION_SCOPE = f"{SCOPE}/commerce.notification.subscription"
GIVEN_UP_SECONDS = 24 * 3600
TIMEOUT_SECONDS = 5.0
ACKNOWLEDGED = {200, 201, 202, 204}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,80}\Z")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
_DESTINATION = re.compile(rf"{BASE}/destination/([0-9a-f-]+)\Z")
_SUBSCRIPTION = re.compile(rf"{BASE}/subscription/([0-9a-f-]+)/enable\Z")
_KEY = re.compile(rf"{BASE}/public_key/([^/]+)\Z")
_MAX_LISTED = 100


def _refused(status: int, id: int, message: str, violation: str | None = None) -> Refusal:
    return refused(status, id, message, violation, "API_NOTIFICATION")


class _Direct(urllib.request.HTTPRedirectHandler):
    """Follows nobody: an endpoint is where it says it is."""

    def redirect_request(self, *_: Any) -> None:
        return None


_open = urllib.request.build_opener(_Direct, urllib.request.ProxyHandler({})).open


class Key:
    """What notifications are signed with, and how eBay shows it: PEM without line breaks."""

    def __init__(self) -> None:
        self.kid = str(uuid.uuid4())
        self._private = ec.generate_private_key(ec.SECP256R1())
        pem = self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.shown = pem.replace("\n", "")

    def header(self, body: bytes) -> str:
        """Return the X-EBAY-SIGNATURE of a body."""
        signature = base64.b64encode(self._private.sign(body, ec.ECDSA(SHA1()))).decode()  # noqa: S303 - as eBay does
        said = {"alg": "ecdsa", "kid": self.kid, "signature": signature, "digest": "SHA1"}
        return base64.b64encode(json.dumps(said).encode()).decode()


class Notifications:
    """`answer` is called under the vendor's lock; deliveries are made by a thread of their own, without it: whoever is
    told asks for the key while it is.
    """

    def __init__(self, clock: Clock, violations: Counter[str]) -> None:
        self._clock = clock
        self._violations = violations
        self.allows_http = False
        self.retry_seconds = 1.0
        self.key = Key()
        self.alert_email: str | None = None
        self.destinations: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._courier: threading.Thread | None = None

    def answer(self, request: Request, scopes: frozenset[str], *, is_user: bool) -> Reply:
        method, path = request.method, request.path
        if path.startswith(f"{BASE}/subscription"):
            return self._subscription(request, scopes, is_user=is_user)
        if is_user or SCOPE not in scopes:
            raise _refused(403, 1100, "Access denied", "scope")
        if path == f"{BASE}/config" and method in {"GET", "PUT"}:
            return self._config(request)
        if (found := _KEY.match(path)) and method == "GET":
            if found[1] != self.key.kid:
                raise _refused(404, 195100, "The key does not exist.")
            return answered({"key": self.key.shown, "algorithm": "ECDSA", "digest": "SHA1"})
        if path == f"{BASE}/destination" and method == "GET":
            return self._listed(request, "destinations", [self._shown(one) for one in self.destinations.values()])
        if path == f"{BASE}/destination" and method == "POST":
            return self._add_destination(request)
        if (found := _DESTINATION.match(path)) and method == "PUT":
            if found[1] not in self.destinations:
                raise _refused(404, 195013, "The destination does not exist.")
            self.destinations[found[1]] |= self._proven(_said(request))
            return Reply(204)
        raise _refused(404, 2002, "Resource not found", "path")

    def _config(self, request: Request) -> Reply:
        if request.method == "PUT":
            email = _said(request).get("alertEmail")
            if not isinstance(email, str) or not _MAIL.match(email):
                raise _refused(400, 195004, "Invalid alertEmail.", "body")
            self.alert_email = email
            return Reply(204)
        if self.alert_email is None:
            raise _refused(404, 195003, "Please provide configurations required for notifications.")
        return answered({"alertEmail": self.alert_email})

    def _add_destination(self, request: Request) -> Reply:
        if self.alert_email is None:
            raise _refused(409, 195003, "Please provide configurations required for notifications.", "no_config")
        proven = self._proven(_said(request))
        if any(one["endpoint"] == proven["endpoint"] for one in self.destinations.values()):
            raise _refused(409, 195021, "Destination exists for this endpoint.")
        id = str(uuid.uuid4())
        self.destinations[id] = {"destinationId": id, **proven}
        return Reply(201, headers={"Location": f"https://api.ebay.com{BASE}/destination/{id}"})

    def _proven(self, said: dict[str, Any]) -> dict[str, Any]:
        """Return a destination that has answered a challenge. Raises Refusal."""
        delivery = said.get("deliveryConfig")
        endpoint = delivery.get("endpoint") if isinstance(delivery, dict) else None
        token = delivery.get("verificationToken") if isinstance(delivery, dict) else None
        if not isinstance(said.get("name"), str) or said.get("status") not in {"ENABLED", "DISABLED"}:
            raise _refused(400, 195012, "Invalid name or status.", "body")
        allowed = ("https://", "http://") if self.allows_http else ("https://",)
        if not isinstance(endpoint, str) or not endpoint.startswith(allowed):
            raise _refused(400, 195014, "Invalid endpoint: https alone.", "endpoint")
        if not isinstance(token, str) or not _TOKEN.match(token):
            raise _refused(400, 195018, "Invalid verification token.", "verification_token")
        if not _answers(endpoint, token):
            raise _refused(409, 195020, "Challenge verification failed for requested endpoint.")
        return {"name": said["name"], "status": said["status"], "endpoint": endpoint}

    def _subscription(self, request: Request, scopes: frozenset[str], *, is_user: bool) -> Reply:
        if not is_user or SUBSCRIPTION_SCOPE not in scopes:
            raise _refused(403, 1100, "Access denied", "scope")
        if request.path == f"{BASE}/subscription" and request.method == "GET":
            return self._listed(request, "subscriptions", [*self.subscriptions.values()])
        if (found := _SUBSCRIPTION.match(request.path)) and request.method == "POST":
            if found[1] not in self.subscriptions:
                raise _refused(404, 195010, "The subscription does not exist.")
            self.subscriptions[found[1]]["status"] = "ENABLED"
            return Reply(204)
        if request.path != f"{BASE}/subscription" or request.method != "POST":
            raise _refused(404, 2002, "Resource not found", "path")
        said = _said(request)
        topic, destination = said.get("topicId"), said.get("destinationId")
        if topic not in TOPICS:
            raise _refused(400, 195002, "Invalid topic.", "body")
        if not TOPICS[topic] <= scopes:
            raise _refused(403, 195011, "Not authorized for this topic.", "scope")
        if destination not in self.destinations:
            raise _refused(400, 195013, "The destination does not exist.", "body")
        if said.get("payload") != {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"}:
            raise _refused(400, 195015, "Invalid payload.", "body")
        known = {(one["topicId"], one["destinationId"]) for one in self.subscriptions.values()}
        if (topic, destination) in known:
            raise _refused(409, 195017, "The subscription exists.")
        id = str(uuid.uuid4())
        made = {name: said.get(name) for name in ("topicId", "status", "destinationId", "payload")}
        self.subscriptions[id] = {"subscriptionId": id, **made}
        return Reply(201, headers={"Location": f"https://api.ebay.com{BASE}/subscription/{id}"})

    def _shown(self, destination: dict[str, Any]) -> dict[str, Any]:
        # The token is not shown: whoever has it knows it.
        return {
            **{name: destination[name] for name in ("destinationId", "name", "status")},
            "deliveryConfig": {"endpoint": destination["endpoint"]},
        }

    def _listed(self, request: Request, name: str, found: list[dict[str, Any]]) -> Reply:
        text, start = request.parameter("limit") or "20", request.parameter("continuation_token") or "0"
        if not (text.isdigit() and 1 <= int(text) <= _MAX_LISTED and start.isdigit()):
            raise _refused(400, 195001, "Invalid limit.", "parameter")
        size, first = int(text), int(start)
        shown = {"total": len(found), "limit": size, "href": request.path, name: found[first : first + size]}
        if first + size < len(found):
            shown["next"] = f"https://api.ebay.com{request.path}?limit={size}&continuation_token={first + size}"
        return answered(shown)

    def publish(self, topic: str, data: dict[str, Any]) -> int:
        """Send a notification to whoever subscribed to the topic; return how many that are."""
        wanted = [
            one["destinationId"]
            for one in self.subscriptions.values()
            if one["topicId"] == topic and one["status"] == "ENABLED"
        ]
        for destination in wanted:
            self.send(destination, topic, data)
        return len(wanted)

    def send(self, destination: str, topic: str, data: dict[str, Any]) -> dict[str, Any]:
        now = utc(self._clock.now())
        delivery = {
            "destination": destination,
            "topic": topic,
            "notificationId": str(uuid.uuid4()),
            "eventDate": now,
            "first": self._clock.now(),
            "data": data,
            "attempts": 0,
            "statuses": [],
            "is_over": False,
        }
        with self._changed:
            self.sent.append(delivery)
            self._changed.notify_all()
            if self._courier is None or not self._courier.is_alive():
                self._courier = threading.Thread(target=self._deliver, name="ebay notifications", daemon=True)
                self._courier.start()
        return delivery

    def body(self, delivery: dict[str, Any]) -> bytes:
        notification = {name: delivery[name] for name in ("notificationId", "eventDate")}
        said = {
            "metadata": {"topic": delivery["topic"], "schemaVersion": "1.0", "deprecated": False},
            "notification": {
                **notification,
                "publishDate": utc(self._clock.now()),
                "publishAttemptCount": delivery["attempts"],
                "data": delivery["data"],
            },
        }
        return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()

    def close(self) -> None:
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            courier = self._courier
        if courier is not None:
            courier.join()

    def _deliver(self) -> None:
        while True:
            with self._changed:
                waiting = [one for one in self.sent if not one["is_over"]]
                if self._closed.is_set() or not waiting:
                    self._courier = None
                    return
            for delivery in waiting:
                self._attempt(delivery)
            with self._changed:
                if not self._closed.is_set() and any(not one["is_over"] for one in waiting):
                    self._changed.wait(self.retry_seconds)

    def _attempt(self, delivery: dict[str, Any]) -> None:
        destination = self.destinations[delivery["destination"]]
        if destination["status"] != "ENABLED":
            delivery["is_over"] = True
            return
        delivery["attempts"] += 1
        body = self.body(delivery)
        headers = {"Content-Type": "application/json", "X-EBAY-SIGNATURE": self.key.header(body)}
        status = _posted(destination["endpoint"], body, headers)
        delivery["statuses"].append(status)
        if status in ACKNOWLEDGED:
            delivery["is_over"] = True
        elif self._clock.now() - delivery["first"] > timedelta(seconds=GIVEN_UP_SECONDS):
            destination["status"] = "MARKED_DOWN"
            delivery["is_over"] = True
            self._violations["unacknowledged"] += 1

    def state(self) -> dict[str, Any]:
        return {
            "alert_email": self.alert_email,
            "destinations": [*self.destinations.values()],
            "subscriptions": [*self.subscriptions.values()],
            "notifications": [
                {name: value.isoformat() if isinstance(value, datetime) else value for name, value in one.items()}
                for one in self.sent
            ],
        }


def _said(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _refused(415, 195005, "Invalid value for header Content-Type.", "content_type")
    try:
        said = json.loads(request.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise _refused(400, 195006, "The body is no JSON object.", "body")
    return said


def _answers(endpoint: str, token: str) -> bool:
    """Say whether the endpoint proves that it knows the token."""
    code = str(uuid.uuid4())
    try:
        with _open(f"{endpoint}?{urllib.parse.urlencode({'challenge_code': code})}", timeout=TIMEOUT_SECONDS) as reply:
            is_json = reply.headers.get_content_type() == "application/json"
            said = json.loads(reply.read(4096))
            is_good = is_json and reply.status == 200
    except (OSError, ValueError):
        return False
    right = hashlib.sha256(f"{code}{token}{endpoint}".encode()).hexdigest()
    return is_good and isinstance(said, dict) and said.get("challengeResponse") == right


def _posted(endpoint: str, body: bytes, headers: dict[str, str]) -> int:
    """Return what the endpoint answers; 0 where it does not."""
    request = urllib.request.Request(endpoint, body, headers, method="POST")  # noqa: S310 - http and https alone
    try:
        with _open(request, timeout=TIMEOUT_SECONDS) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0

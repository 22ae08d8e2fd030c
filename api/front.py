"""The front of the app: every request passes here once, whatever becomes of it.

One layer for request ids, HEAD, the log line and the metrics: each layer of its own would cost as much as the work.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from uuid_utils import uuid4

from api.metrics import Metrics
from api.requests import Caller, content_length, forget_body, next_message
from commands.logs import described, request_lines
from domain import ids

_REQUEST_ID = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_CLOSE = (b"connection", b"close")
_REST_BYTES = 64 * 1024
_REST_SECONDS = 1.0
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_log = structlog.get_logger("api.requests")


class Front:
    """Wraps the ASGI app that routes. `allowed` are the methods of each route, by its template."""

    def __init__(self, app: ASGIApp, metrics: Metrics, allowed: Mapping[str, AbstractSet[str]]) -> None:
        self._app = app
        self._allow = {route: _allow(methods) for route, methods in allowed.items()}
        self._metrics = metrics
        self._write_line = request_lines("api.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await self._pass(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _pass(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope["state"]["request_id"] = request_id.decode()
        method: str = scope["method"]
        is_head = scope["state"]["is_head"] = method == "HEAD"
        if is_head:
            # What GET would say, without its body.
            scope["method"] = "GET"
        status = size = 0
        is_unread = method not in _BODILESS
        taken, announced = 0, content_length(scope) if is_unread else None

        async def receive_on() -> Any:
            nonlocal is_unread, taken
            message: Any = await receive()
            taken += len(message.get("body", b""))
            is_unread = message["type"] == "http.request" and message.get("more_body", False) and taken != announced
            return message

        async def send_on(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                if is_unread and _CLOSE not in message["headers"]:
                    await _read_rest(scope, receive_on)
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id), (b"x-content-type-options", b"nosniff")]
                if status == 405 or method == "OPTIONS":
                    # The framework's own value knows no HEAD, and for OPTIONS only the first handler of a path.
                    known = self._allow.get(scope.get("path_template", ""))
                    headers = [(n, known or _allow(v.decode().split(", ")) if n == b"allow" else v) for n, v in headers]
                message["headers"] = headers
            elif message["type"] == "http.response.body":
                size += len(message["body"])
                if is_head:
                    message["body"] = b""
            await send(message)

        try:
            await self._app(scope, receive_on if is_unread else receive, send_on)
        except Exception as error:
            # The answer had begun: it can only be cut off.
            _log.error("answer broken off", request_id=request_id.decode(), **described(error))
            raise
        finally:
            forget_body(scope)
            elapsed = time.perf_counter() - started
            route = scope.get("path_template") or "unmatched"
            self._metrics.observe(method, route, status, elapsed)
            if route not in _QUIET:
                self._write_line(
                    {
                        "request_id": request_id.decode(),
                        "method": method,
                        "route": route,
                        "status": status,
                        "size_bytes": size,
                        "duration_ms": round(elapsed * 1000, 2),
                        **_subject(scope),
                    }
                )


async def _read_rest(scope: Scope, receive: Receive) -> None:
    """Take what is left of a body that nobody wanted, within limits. The server closes a connection on which some of
    it is still to come, under a client that has sent its next request there."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REST_SECONDS):
            while size <= _REST_BYTES:
                message = await next_message(scope, receive)
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                size += len(message.get("body", b""))


def _subject(scope: HTTPScope) -> dict[str, Any]:
    """Return who asked and about what. The path itself is not logged: it may hold a token."""
    line: dict[str, Any] = {}
    if uid := scope.get("path_params", {}).get("uid"):
        line["uid"] = uid[:60]
    caller = scope.get("auth")
    if isinstance(caller, Caller):
        line["key"] = caller.actor
        line["organization"] = ids.familiar_uid(ids.ORGANIZATION, caller.organization.int)
    return line


def _request_id(scope: HTTPScope) -> bytes:
    """Return the client's id where it is one: up to 200 printable characters."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value
    return uuid4().hex.encode()


def _allow(methods: Iterable[str]) -> bytes:
    """Return an Allow header's value; the front serves HEAD where there is GET."""
    served = {*methods, "OPTIONS"}
    return ", ".join(sorted(served | {"HEAD"} if "GET" in served else served)).encode()

"""What a request carries beside its path: who asks, headers, the query, the JSON body."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.types import Receive, ReceiveMessage, Scope

from api.errors import BadRequest, BodyTimeout, BodyTooLarge, UnsupportedMediaType
from domain.errors import Invalid
from domain.fields import json_type

MAX_DEPTH = 64
MAX_PARAMETERS = 1000
SHORT_BODY_BYTES = 16 * 1024
_EXPECTED = "expected_body"
_URL_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))
_STRICT = re.compile(r'(?:^|[,;\s])handling\s*=\s*"?strict"?\s*(?:$|[,;])', re.IGNORECASE)
_decode = msgspec.json.Decoder().decode


class Caller(NamedTuple):
    """Who asks, and what the key may do. `revision` and `product_count` are the catalogue's at the moment the key was
    checked."""

    key_id: UUID
    actor: str
    organization: UUID
    revision: int
    product_count: int
    scopes: Sequence[str]

    @property
    def is_admin(self) -> bool:
        return "admin" in self.scopes


ApiRequest = Request[None, Caller, State]


def request_id(scope: Scope) -> str:
    """Return the id given to this request by its sender or by us; it is the correlation id of its events."""
    found: str = scope["state"]["request_id"]
    return found


def header(scope: Scope, name: bytes) -> str | None:
    """Return a header's value (several of one name joined by commas); None without one. `name` is lower-case."""
    found = [value for key, value in scope["headers"] if key == name]
    return b",".join(found).decode("latin-1") if found else None


def content_length(scope: Scope) -> int | None:
    """Return the announced length of the body in bytes; None where it is not announced."""
    announced = header(scope, b"content-length")
    return int(announced[:20]) if announced is not None and announced.isdecimal() else None


def is_strict(request: ApiRequest) -> bool:
    """Say whether the client prefers unknown fields refused (RFC 7240)."""
    preference = header(request.scope, b"prefer")
    return preference is not None and _STRICT.search(preference) is not None


class Query(NamedTuple):
    """A query string: `parts` as sent, (name, value) decoded."""

    parts: tuple[tuple[str, str, str], ...]

    def last(self, name: str) -> str | None:
        """Return the value given last; None where it is not given or empty."""
        return next((value for key, value, _ in reversed(self.parts) if key == name and value), None)

    def listed(self, name: str) -> list[str]:
        """Return the values of all `name`s, each split at commas, trimmed, without empty ones."""
        values = (value for key, value, _ in self.parts if key == name)
        return [part for value in values for piece in value.split(",") if (part := piece.strip())]

    def without(self, *names: str) -> str:
        """Return the query as sent, without `names`."""
        return "&".join(raw for key, _, raw in self.parts if key not in names)


def parse_query(raw: bytes) -> Query:
    """Raises BadRequest where a name or a value is not UTF-8."""
    return Query(tuple(_parameters(raw))) if raw else Query(())


def _parameters(raw: bytes) -> Iterator[tuple[str, str, str]]:
    pieces = raw.split(b"&", MAX_PARAMETERS)
    if len(pieces) > MAX_PARAMETERS:
        raise BadRequest("The query has too many parameters.")
    for piece in pieces:
        if piece:
            name, _, value = piece.replace(b"+", b" ").partition(b"=")
            try:
                yield unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode(), quote(piece, _URL_CHARACTERS)
            except UnicodeDecodeError:
                raise BadRequest("The query is not valid UTF-8.") from None


def expect_body(request: ApiRequest) -> None:
    """Ask for a short body before it is wanted: it comes while the key is looked up, not after that."""
    if 0 < (content_length(request.scope) or 0) <= SHORT_BODY_BYTES:
        request.scope["state"][_EXPECTED] = asyncio.ensure_future(request.receive())


def forget_body(scope: Scope) -> None:
    """Drop a body that was asked for and that nobody wanted."""
    if (expected := scope["state"].pop(_EXPECTED, None)) is not None:
        expected.cancel()


async def next_message(scope: Scope, receive: Receive) -> ReceiveMessage:
    """Return what the client sends next: a piece of the body, or that it went away."""
    expected: asyncio.Future[ReceiveMessage] | None = scope["state"].pop(_EXPECTED, None)
    return await (receive() if expected is None else expected)


async def disconnected(receive: Receive) -> None:
    """Return once the client has gone: the server takes what is sent then, and says nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(request: ApiRequest, limit_bytes: int, timeout_seconds: float) -> bytes:
    """Return the whole body. Raises BodyTooLarge as soon as that is known, BodyTimeout, BadRequest."""
    expected = content_length(request.scope)
    if expected is not None and expected > limit_bytes:
        raise BodyTooLarge(headers={"Connection": "close"})
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                message = await next_message(request.scope, request.receive)
                if message["type"] != "http.request":
                    raise BadRequest("The request body ended early.")
                body += message.get("body", b"")
                if len(body) > limit_bytes:
                    raise BodyTooLarge(headers={"Connection": "close"})
                # The server's word that nothing follows would be another message, at the cost of half a create.
                if len(body) == expected or not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise BodyTimeout(headers={"Connection": "close"}) from None


async def json_body(request: ApiRequest, limit_bytes: int | None = None) -> Mapping[str, Any]:
    """Return the body as the object that it must be, no larger than the limit, or than the settings'. Raises what is
    wrong with it."""
    content_type = header(request.scope, b"content-type") or ""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in {"", "application/json"}:
        raise UnsupportedMediaType(f'Unsupported media type "{media_type[:100]}" in request.')
    settings = request.app.state.services.settings
    raw = await read_body(request, limit_bytes or settings.body_limit_bytes, settings.body_timeout_seconds)
    body = parse_json(raw) if raw.strip() else {}
    if not isinstance(body, dict):
        message = f"Invalid data. Expected a dictionary, but got {json_type(body)}."
        raise Invalid({"non_field_errors": [message]})
    return body


def parse_json(raw: bytes) -> Any:
    """Raises BadRequest, also for text that is not UTF-8 and for nesting beyond MAX_DEPTH."""
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"JSON parse error - {error}") from None
    except RecursionError:
        raise BadRequest("JSON parse error - nested too deeply") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise BadRequest("JSON parse error - nested too deeply")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value)
    return False

"""Idempotency-Key: one POST, one effect, one answer, however often it is sent."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from api.answers import Answer
from api.errors import BadRequest
from api.requests import ApiRequest, header
from api.services import services
from commands.save import Receipt

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
REPLAYED = (b"idempotent-replayed", b"true")


def receipt_for(
    request: ApiRequest, body: Any, headers: Mapping[str, str], *, status: int = 201, answer: str | None = None
) -> Receipt | None:
    """Return the receipt that binds the request's key, None without one. Raises BadRequest for a key that is none.

    `body` is what the request says, as JSON values: it is compared by value. `answer` is what a repeat gets where
    that is not the document that the write makes.
    """
    key = header(request.scope, b"idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key: expected 1 to 255 printable ASCII characters.")
    path = request.scope["path"].rstrip("/")
    return Receipt(
        organization=request.auth.organization,
        key=key,
        request=fingerprint(request.scope["method"], path, body),
        status=status,
        headers=msgspec.json.encode(headers).decode(),
        body=answer,
    )


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """Return a digest that equal requests share: keys in any order, 1 and 1.0 are one number."""
    plain = msgspec.json.encode([method, path, _canonical(body)], order="deterministic")
    return hashlib.sha256(plain).digest()


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def replay(request: ApiRequest, receipt: Receipt) -> Answer:
    """Return the first answer once more."""
    headers = msgspec.json.decode(receipt.headers, type=dict[str, str])
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Answer(services(request).fill(request, receipt.body or ""), receipt.status, [*raw, REPLAYED])

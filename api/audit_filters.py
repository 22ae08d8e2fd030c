"""The query of the audit feed, and the places in it."""

from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import Any

import msgspec

from api.errors import InvalidCursor
from api.filters import Filters
from api.moments import NOT_A_TIME, parse_time
from api.requests import Query
from domain.errors import Invalid
from domain.vocabulary import DECODERS, topics
from projections.audit import AuditQuery
from projections.terms import EVENT_NAMES, id_of

ORDERS = {"desc": "Newest first", "asc": "Oldest first"}
NOT_A_UID = "Enter the uid of an object."
_ALPHABET = b"-_"
_LIST_BYTES, _PLACE_BYTES = 6, 8


def audit_query(query: Query) -> AuditQuery:
    """Raises Invalid with every filter that is wrong."""
    given, errors = Filters(query), {}
    found: dict[str, Any] = {"actor": given.text("actor"), "request_id": given.text("request_id")}
    events = given.choices("event", {**EVENT_NAMES, **dict.fromkeys(DECODERS, "")})
    found["topics"] = tuple(topic for event in events for topic in (topics(event) or [event]))
    orders = given.choices("order", ORDERS)
    found["descends"] = orders != ("asc",)
    if len(orders) > 1:
        errors["order"] = ["Only one order is possible."]
    for name in ("after", "before"):
        if (text := query.last(name)) is not None:
            found[name] = parse_time(text.strip())
            if found[name] is None:
                errors[name] = [NOT_A_TIME]
    if (text := query.last("object")) is not None:
        found["object"] = id_of(text.strip())
        if found["object"] is None:
            errors["object"] = [NOT_A_UID]
    try:
        given.check()
    except Invalid as invalid:
        errors |= invalid.errors
    if errors:
        raise Invalid(errors)
    return AuditQuery(**found)


def spelled(asked: AuditQuery, position: int) -> str:
    """Return the cursor of a place in what is asked for."""
    return b64encode(_list(asked) + position.to_bytes(_PLACE_BYTES, "big"), _ALPHABET).rstrip(b"=").decode()


def place(asked: AuditQuery, query: Query) -> int | None:
    """Return the position that the query's cursor stands for, None for the start. Raises InvalidCursor."""
    text = query.last("cursor")
    if text is None:
        return None
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), _ALPHABET, validate=True)
    except ValueError as error:
        raise InvalidCursor from error
    position = int.from_bytes(raw[_LIST_BYTES:], "big")
    # One spelling each: it is also how a place in another list is told.
    if len(raw) != _LIST_BYTES + _PLACE_BYTES or position >= 2**63 or spelled(asked, position) != text:
        raise InvalidCursor
    return position


def _list(asked: AuditQuery) -> bytes:
    return blake2b(msgspec.json.encode(asked), digest_size=_LIST_BYTES).digest()

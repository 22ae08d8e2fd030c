"""/api/v1/audit/events/stream/: what happens, as it happens, as server-sent events.

Each event's id is its position in the log, so a client that comes back says where it was. Every stream reads for
itself, as fast as its client takes it: one that is slow holds nothing but its place.
"""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from litestar import get
from msgspec.structs import replace

from api.audit import PATH
from api.audit_filters import audit_query
from api.auth import admit, presented_key
from api.moments import FUTURE
from api.openapi import audit as declared
from api.product_export import Stream
from api.requests import ApiRequest, header, parse_query
from api.services import Services, services
from commands.organization import digest
from domain.errors import Invalid, Unavailable
from projections.audit import AuditQuery, Told, newest, read

KEEP_ALIVE_SECONDS = 15.0
BATCH_ROWS = 100
_RETRY = b"retry: 1000\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"
_MAX_DIGITS = 18


@get(f"{PATH}/stream", before_request=admit, scope="admin", operation=declared.STREAM)
async def stream_events(request: ApiRequest) -> Stream:
    within = services(request)
    asked = replace(audit_query(parse_query(request.scope["query_string"])), descends=False)
    place = await _place(request)
    within.tail.require_room()

    async def chunks() -> AsyncGenerator[bytes, None]:
        with within.tail.followed():
            async with aclosing(_followed(request, within, asked, place)) as found:
                yield _RETRY
                last = time.monotonic()
                async for events in found:
                    now = time.monotonic()
                    if events:
                        last = now
                        yield within.fill(request, "".join(map(_event, events)))
                    elif now - last >= KEEP_ALIVE_SECONDS:
                        last = now
                        yield _KEEP_ALIVE
                    else:
                        yield b""

    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"private, no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    return Stream(chunks(), headers)


async def _place(request: ApiRequest) -> int:
    """Return the position that the client has seen last, without one the newest. Raises Invalid."""
    text = header(request.scope, b"last-event-id")
    if text is None:
        text = parse_query(request.scope["query_string"]).last("last_event_id")
    log, own = await newest(services(request).reader, request.auth.organization)
    if not text:
        return own
    if not (text.isascii() and text.isdecimal()) or len(text) > _MAX_DIGITS:
        raise Invalid({"last_event_id": ["A valid integer is required."]})
    if int(text) > log:
        raise Invalid({"last_event_id": [FUTURE]})
    return int(text)


async def _followed(
    request: ApiRequest, within: Services, asked: AuditQuery, place: int
) -> AsyncGenerator[Sequence[Told], None]:
    """Yield events as they come, and nothing once in a while; end when the key does or the app."""
    key = digest(presented_key(request.scope) or "")
    tail = within.tail
    while not tail.is_closed:
        # What comes after this moment is waited for below.
        seen = tail.position
        try:
            grant = await within.gate.check(key)
            if grant is None or "admin" not in grant.scopes:
                return
            found = await read(within.reader, request.auth.organization, asked, place, BATCH_ROWS)
        except Unavailable:
            yield ()
            await tail.wait(seen, 1.0)
            continue
        yield found.events
        place = place if found.last is None else found.last
        if found.following is None:
            await tail.wait(seen, 1.0)


def _event(event: Told) -> str:
    # JSON text has no line breaks of its own.
    return f"id: {event.position}\ndata: {event.document}\n\n"


HANDLERS: list[Any] = [stream_events]

"""/api/v1/audit/events/: everything that happened in an organization, for its administrators."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from litestar import get

from api.answers import Answer
from api.audit_filters import audit_query, place, spelled
from api.auth import admit
from api.conditional import tagged
from api.files import attachment
from api.objects import walk_of
from api.openapi import audit as declared
from api.pages import page_size
from api.product_export import NDJSON, Stream
from api.requests import ApiRequest, Query, parse_query
from api.services import services
from projections.audit import Told, batches, read

PATH = "/api/v1/audit/events"
PAGE_SIZE = 50
_OF_PAGES = frozenset({"cursor", "page_size"})


@get(PATH, before_request=admit, scope="admin", operation=declared.LIST)
async def list_events(request: ApiRequest) -> Answer:
    query = parse_query(request.scope["query_string"])
    asked = audit_query(query)
    size = page_size(query, PAGE_SIZE)
    found = await read(services(request).reader, request.auth.organization, asked, place(asked, query), size)
    cursor = None if found.following is None else spelled(asked, found.following)
    results = [event.document for event in found.events]
    return tagged(request.scope, walk_of(request, PATH, query, cursor=cursor, results=results))


@get(f"{PATH}/export", before_request=admit, scope="admin", operation=declared.EXPORT)
async def export_events(request: ApiRequest) -> Stream:
    query = parse_query(request.scope["query_string"])
    asked = audit_query(Query(tuple(part for part in query.parts if part[0] not in _OF_PAGES)))
    found = batches(services(request).reader, request.auth.organization, asked)
    # What cannot be read at all is refused before the answer begins.
    first = await anext(found)

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield _lines(request, first)
        async for events in found:
            yield _lines(request, events)

    headers = [
        (b"content-type", f"{NDJSON.media_type}; charset=utf-8".encode()),
        attachment("events.ndjson"),
        (b"cache-control", b"private, no-store"),
    ]
    return Stream(chunks(), headers)


def _lines(request: ApiRequest, events: Sequence[Told]) -> bytes:
    return services(request).fill(request, "".join(f"{event.document}\n" for event in events))


HANDLERS: list[Any] = [list_events, export_events]

"""What /api/v1/audit/events/ promises."""

from api.openapi.filters import choice, text
from api.openapi.history import HEAD
from api.openapi.noun import BASE_URL
from api.openapi.operation import (
    CURSOR,
    IF_NONE_MATCH,
    NOT_MODIFIED,
    PAGE_SIZE,
    Answered,
    Operation,
    Parameter,
)
from projections.terms import EVENT_NAMES

_TAG = "Audit"
_EVENT = HEAD | {"data": {"title": "Abbey Road (Remastered)", "tags": ["classic-rock", "remastered"]}}
_TIME = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "enum": [""]}]}
_FILTERS = (
    Parameter(name="after", description="Events later than this time.", schema=_TIME, example="2025-01-15T00:00:00Z"),
    Parameter(name="before", description="Events before this time.", schema=_TIME, example="2025-01-16T00:00:00Z"),
    text("actor", "Events that this API key caused, by its uid, or `system`.", str(HEAD["actor"]["uid"])),
    choice("event", "Events of any of these names, separated by commas or repeated", EVENT_NAMES, "product.revised"),
    Parameter(
        name="object",
        description="Events of this object, by its uid as events have it.",
        example=HEAD["object"]["uid"],
    ),
    text("request_id", "Events of this request, by its X-Request-Id.", HEAD["request_id"]),
)
_ORDER = Parameter(
    name="order",
    description="`desc`, newest first, or `asc`: in the order of the log.",
    schema={"type": "string", "enum": ["desc", "asc", ""], "default": "desc"},
    example="asc",
)

LIST = Operation(
    id="listAuditEvents",
    summary="List what happened",
    tag=_TAG,
    description="Everything that happened in the organization, each event as it was saved, without what opens doors.",
    parameters=(*_FILTERS, _ORDER, CURSOR, PAGE_SIZE, IF_NONE_MATCH),
    answers={
        200: Answered(
            description="Some events; `next` goes on behind the last of them.",
            schema="AuditEventPage",
            example={
                "next": f"{BASE_URL}/api/v1/audit/events/?cursor=yEaPyRNhAAAAAAAAEmc",
                "previous": None,
                "results": [_EVENT],
            },
            headers=("ETag",),
        ),
        304: NOT_MODIFIED,
    },
    problems=(404,),
)
EXPORT = Operation(
    id="exportAuditEvents",
    summary="Export what happened",
    tag=_TAG,
    description="All events that the filters leave as one streamed file, one a line. It is read in steps: with"
    " `order=asc` it ends with what was saved while it was read. One that fails midway breaks the connection off.",
    parameters=(*_FILTERS, _ORDER),
    answers={200: Answered(description="The file.", media_type="application/x-ndjson")},
)
STREAM = Operation(
    id="streamAuditEvents",
    summary="Follow what happens",
    tag=_TAG,
    description="Server-sent events without end: the data of each is an event as the list has it, its id the position"
    " in the log. Whoever comes back with the last id gets everything behind it, nothing twice; without one it begins"
    " now. Without events a comment comes every 15 seconds. It ends when the key is revoked.",
    parameters=(
        *_FILTERS,
        Parameter(name="Last-Event-ID", where="header", description="The last id that was received.", example="4711"),
        Parameter(name="last_event_id", description="The same, for clients that cannot send a header.", example="4711"),
    ),
    answers={200: Answered(description="Events as they come.", media_type="text/event-stream")},
)

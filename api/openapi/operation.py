"""What one operation promises, declared beside its handler's path: `@get(PATH, operation=…)`."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

Schema = dict[str, Any]


class Parameter(Struct, frozen=True, kw_only=True):
    """`where` is query, header or path."""

    name: str
    where: str = "query"
    description: str = ""
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    example: Any = None
    required: bool = False


class Answered(Struct, frozen=True, kw_only=True):
    """One good answer. `schema` names a component; None means that there is no body.

    `is_page`: a browser gets HTML instead. `links` are the operations that take what is answered, by id, each with
    where its parameters come from.
    """

    description: str
    schema: str | None = None
    example: Any = None
    headers: tuple[str, ...] = ()
    media_type: str = "application/json"
    other_media_types: Sequence[str] = ()
    is_page: bool = False
    links: Mapping[str, Mapping[str, str]] = {}


class Body(Struct, frozen=True, kw_only=True):
    """A request body; `schema` names a component, `files` the media type of each field that is a file."""

    schema: str
    example: Any
    media_type: str = "application/json"
    required: bool = True
    files: Mapping[str, str] = {}


class Operation(Struct, frozen=True, kw_only=True):
    """`problems` are the statuses of its refusals beside those that every operation has, `pages` what those say that
    are pages for a browser. `is_public`: no key needed."""

    id: str
    summary: str
    tag: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: Body | None = None
    answers: Mapping[int, Answered]
    problems: Sequence[int] = ()
    pages: Mapping[int, str] = {}
    is_public: bool = False


UID = Parameter(
    name="uid", where="path", required=True, description="The object's uid.", example="prod_06h0gqr8ulokt6nds0s2ndgtpg"
)
IF_MATCH = Parameter(
    name="If-Match",
    where="header",
    description="Only write while the object has this entity tag; without it the last write wins, per field.",
)
IF_NONE_MATCH = Parameter(
    name="If-None-Match", where="header", description="Answer 304 while the entity tag is still this one."
)
IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    where="header",
    description="Makes the request safe to repeat: the same key and body give the first answer again for 24 hours.",
    schema={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
)
PREFER = Parameter(
    name="Prefer", where="header", description="`handling=strict` refuses unknown fields instead of ignoring them."
)
PAGE = Parameter(
    name="page", description="Page number, from 1, or `last`. A page that does not exist is a 404.", example="2"
)
CURSOR = Parameter(
    name="cursor",
    description="A walk instead of pages: empty for its start, then as `next` has it. Each step is what follows the"
    " object before it, so nothing is missed or met twice because others come or go; one that is moved by a change to"
    " what the list is ordered by may be. It goes forwards alone: `previous` is null, `page` is ignored. A cursor is"
    " for one list with its filters and ordering; any other is a 404.",
)
PAGE_SIZE = Parameter(
    name="page_size", description="Results a page, 100 at most; what is no number gives the default.", example="15"
)

AS_OF = Parameter(
    name="as_of",
    description="As it was then: a time, with everything decided up to it, or a position of the log, as histories have"
    " it. What has not come yet is a 400, what was not there then a 404; what was deleted since is shown to a key with"
    " the scope `admin` alone. The answer's entity tag is none that a write goes through on.",
    example="2026-01-31T12:00:00Z",
)

PROBLEMS: Mapping[int, tuple[str, Any]] = {
    400: ("Something in the request is wrong; every wrong field is named.", {"title": ["This field is required."]}),
    401: ("No key was given, or it is wrong or revoked.", {"detail": "Authentication credentials were not provided."}),
    403: ("The key lacks the scope.", {"detail": "You do not have permission to perform this action."}),
    404: ("There is no such object in your organization.", {"detail": "Not found."}),
    408: ("The body did not arrive in time.", {"detail": "The request body did not arrive in time."}),
    409: ("Another object holds a value that has to be unique.", {"detail": "Another aggregate holds this value."}),
    412: (
        "The object changed since the tag was read.",
        {"detail": "The object changed since it was read."},
    ),
    413: ("The body is too large.", {"detail": "The request body is too large."}),
    415: ("The body has another media type.", {"detail": 'Unsupported media type "text/plain" in request.'}),
    422: ("The Idempotency-Key was used with another request.", {"detail": "This Idempotency-Key was used before."}),
    429: (
        "The key has used its requests of this minute.",
        {"detail": "Request was throttled. Expected available in 12 seconds."},
    ),
    500: (
        "Our fault; the X-Request-Id finds it in the log.",
        {"detail": "Internal server error."},
    ),
    502: (
        "The marketplace did not answer as it should.",
        {"detail": "The marketplace did not answer as it should."},
    ),
    503: ("An engine cannot be reached right now.", {"detail": "A service this needs cannot be reached right now."}),
}
NOT_MODIFIED = Answered(description="What If-None-Match names is still what there is.", headers=("ETag",))
COMMON_PROBLEMS = (400, 401, 403, 429, 500, 503)
BODY_PROBLEMS = (408, 413, 415)
PUBLIC_PROBLEMS = (400, 500)

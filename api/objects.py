"""What the handlers of all objects share: whom the path names, what the body says, how the object is answered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from api.answers import Answer, Header
from api.conditional import CACHED, accepted, is_known
from api.errors import BadRequest, UnsupportedMediaType
from api.idempotency import receipt_for, replay
from api.pages import page_body, walk_body
from api.requests import ApiRequest, Query, is_strict, json_body
from api.services import services
from commands.recorder import Guard
from commands.save import Replayed
from domain import ids
from domain.errors import Invalid, NotFound
from domain.form import Form


def path_id(request: ApiRequest, prefix: str) -> UUID:
    """Return the id that the path names. Raises NotFound for what is no uid of this kind."""
    id = ids.parse(prefix, request.scope["path_params"]["uid"])
    if id is None:
        raise NotFound
    return id


class Said(NamedTuple):
    """A JSON body, as sent and as its form reads it: `values` of what is right, `errors` of what is not, by field."""

    body: Mapping[str, Any]
    values: dict[str, Any]
    errors: dict[str, Any]


async def said(request: ApiRequest, form: Form, found: Callable[[], Awaitable[object]] | None = None) -> Said:
    """Read the body. Raises what is wrong with it as a whole, but first NotFound if `found` does: an object that is
    not there is 404, whatever is said of it."""
    try:
        body = await json_body(request)
    except (BadRequest, UnsupportedMediaType, Invalid):
        if found is not None:
            await found()
        raise
    return Said(body, *form.parse(body, is_strict(request)))


async def create(
    request: ApiRequest,
    id: UUID,
    command: Any,
    said: Said,
    headers: Mapping[str, str],
    told: Callable[[str], Mapping[str, str]] = lambda _: {},
) -> Answer:
    """Run the command that makes the object and answer with it. A repeat of the request gets the first answer.

    `told` are headers that its document tells, which is text with holes. What was said wrongly is the command's to
    refuse and binds no Idempotency-Key.
    """
    within = services(request)
    receipt = None if said.errors else receipt_for(request, said.body, headers)
    try:
        saved = await within.execute(request, command, receipt=receipt)
    except Replayed as replayed:
        answer, document = replay(request, replayed.receipt), replayed.receipt.body or ""
    else:
        document = saved.documents[id]
        answer = Answer(within.fill(request, document), 201, raw(headers))
    answer.headers += raw(told(document))
    return answer


def show(request: ApiRequest, document: str, tag: str) -> Answer:
    """Answer with a document that may have holes, or with 304 where the client has it."""
    headers: list[Header] = [(b"etag", tag.encode()), CACHED]
    if request.scope["method"] == "GET" and is_known(request.scope, tag):
        return Answer(status=304, headers=headers)
    return Answer(services(request).fill(request, document), headers=headers)


def guard(
    request: ApiRequest,
    id: UUID,
    expect: Callable[[UUID, Callable[[Any], bool]], Guard],
    tag: Callable[[Any], str],
) -> Guard | None:
    """Return what refuses a write that If-Match does not let through; None without If-Match.

    `expect` makes a guard of an object's id and of what is said of its row; `tag` makes a row's entity tag.
    """
    accepts = accepted(request.scope)
    return None if accepts is None else expect(id, lambda row: accepts(tag(row)))


def page_of(request: ApiRequest, path: str, query: Query, *, count: int, number: int, size: int, results: str) -> bytes:
    """Return one page of a list; `results` is the inside of its array, with holes."""
    within = services(request)
    url = f"{within.addresses.base_url(request.scope)}{path}/"
    return page_body(url, query, count=count, number=number, size=size, results=within.fill(request, results))


def walk_of(
    request: ApiRequest,
    path: str,
    query: Query,
    *,
    cursor: str | None,
    results: Sequence[str],
    count: int | None = None,
) -> bytes:
    """Return one step of a walk over a list, which may be uncounted; `results` are documents with holes."""
    within = services(request)
    url = f"{within.addresses.base_url(request.scope)}{path}/"
    return walk_body(url, query, count=count, cursor=cursor, results=within.fill(request, ",".join(results)))


def raw(headers: Mapping[str, str]) -> list[Header]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]

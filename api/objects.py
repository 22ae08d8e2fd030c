"""What the handlers of all objects share: whom the path names, what the body says, how the object is answered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from api.answers import Answer, Header
from api.conditional import CACHED, accepted, is_known
from api.errors import BadRequest, UnsupportedMediaType
from api.idempotency import receipt_for, replay
from api.pages import page_body
from api.requests import ApiRequest, Query, is_strict, json_body
from api.services import services
from commands.recorder import Guard
from commands.store import Replayed
from domain import ids
from domain.errors import Invalid, NotFound
from domain.form import Form
from projections.documents import etag, fill


def path_id(request: ApiRequest, prefix: str) -> UUID:
    """Return the id that the path names. Raises NotFound for what is no uid of this kind."""
    id = ids.parse(prefix, request.scope["path_params"]["uid"])
    if id is None:
        raise NotFound
    return id


async def said(request: ApiRequest, form: Form) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the JSON body, as sent and as the form's values. Raises Invalid with all that is wrong."""
    body = await json_body(request)
    values, errors = form.parse(body, is_strict(request))
    if errors:
        raise Invalid(errors)
    return body, values


async def said_of(
    request: ApiRequest, form: Form, found: Callable[[], Awaitable[object]]
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return what `said` does of an object that `found` looks up, or raises NotFound for.

    An object that is not there is 404, whatever is said of it.
    """
    try:
        return await said(request, form)
    except (BadRequest, UnsupportedMediaType, Invalid):
        await found()
        raise


async def create(
    request: ApiRequest, id: UUID, command: Any, body: Any, headers: Mapping[str, str], status: int = 201
) -> Answer:
    """Run the command that makes the object and answer with it. A repeat of the request gets the first answer."""
    within = services(request)
    base_url = within.addresses.base_url(request.scope)
    try:
        saved = await within.execute(request, command, receipt=receipt_for(request, body, headers, status=status))
    except Replayed as replayed:
        return replay(replayed.receipt, base_url)
    return Answer(fill(saved.documents[id], base_url), status, raw(headers))


def show(request: ApiRequest, document: str, tag: str) -> Answer:
    """Answer with a document that may have holes, or with 304 where the client has it."""
    headers: list[Header] = [(b"etag", tag.encode()), CACHED]
    if request.scope["method"] == "GET" and is_known(request.scope, tag):
        return Answer(status=304, headers=headers)
    return Answer(fill(document, services(request).addresses.base_url(request.scope)), headers=headers)


def guard(request: ApiRequest, id: UUID, expect: Callable[[UUID, Callable[[Any], bool]], Guard]) -> Guard | None:
    """Return what refuses a write that If-Match does not let through; None without If-Match.

    `expect` makes a guard of an object's id and of what is said of its row's tag.
    """
    accepts = accepted(request.scope)
    return None if accepts is None else expect(id, lambda tag: accepts(etag(tag)))


def page_of(request: ApiRequest, path: str, query: Query, *, count: int, number: int, size: int, results: str) -> bytes:
    """Return one page of a list; `results` is the inside of its array, with holes."""
    base_url = services(request).addresses.base_url(request.scope)
    return page_body(
        f"{base_url}{path}/", query, count=count, number=number, size=size, results=fill(results, base_url)
    )


def raw(headers: Mapping[str, str]) -> list[Header]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]

"""/api/v1/products/: parse, one command or one query, answer."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any
from uuid import UUID

from litestar import delete, get, patch, post
from msgspec import UNSET
from uuid_utils.compat import uuid7

from api.answers import Answer, Header
from api.auth import admit
from api.conditional import CACHED, accepted, is_known
from api.errors import BadRequest, InvalidPage, UnsupportedMediaType
from api.idempotency import receipt_for, replay
from api.openapi import products as declared
from api.pages import page_body
from api.product_filters import product_query
from api.requests import ApiRequest, Caller, is_strict, json_body, parse_query
from api.services import Services, services
from commands.product import CreateProduct, DeleteProduct, ReviseProduct
from commands.recorder import Guard
from commands.save import Replayed
from domain import ids
from domain.errors import Invalid, NotFound
from domain.product.form import CREATE, REVISE
from projections.catalogue import Row, detail, expect
from projections.documents import DOCUMENT_VERSION, etag, fill
from projections.product_page import page

PATH = "/api/v1/products"


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_products(request: ApiRequest) -> Answer:
    within, caller = services(request), request.auth
    query = request.scope["query_string"]
    base_url = within.addresses.base_url(request.scope)
    # The key was checked before the page is read: a write in between makes this tag older than its page, never newer.
    address = blake2b(b"%b?%b" % (base_url.encode(), query), digest_size=8)
    tag = f'"{DOCUMENT_VERSION}-{caller.revision}-{address.hexdigest()}"'
    headers = [(b"etag", tag.encode()), CACHED]
    if is_known(request.scope, tag):
        product_query(parse_query(query))
        return Answer(status=304, headers=headers)
    question = ("products", caller.organization.int, base_url, query)
    body = await within.pages.body(question, caller.revision, lambda: _page(within, caller, query, base_url))
    return Answer(body, headers=headers)


async def _page(within: Services, caller: Caller, query: bytes, base_url: str) -> bytes:
    parsed = parse_query(query)
    asked = product_query(parsed)
    count, number, results, exists = await page(within.reader, caller.organization, asked, caller.product_count)
    if not exists:
        raise InvalidPage
    return page_body(
        f"{base_url}{PATH}/",
        parsed,
        count=count,
        number=number,
        size=asked.page_size,
        results=fill(results, base_url),
    )


@post(PATH, before_request=admit, scope="write", operation=declared.CREATE)
async def create_product(request: ApiRequest) -> Answer:
    body = await json_body(request)
    values, errors = CREATE.parse(body, is_strict(request))
    if errors:
        raise Invalid(errors)
    within, id = services(request), uuid7()
    headers = {"ETag": etag(1), "Location": f"{PATH}/{ids.uid(ids.PRODUCT, id)}/"}
    base_url = within.addresses.base_url(request.scope)
    command = CreateProduct(
        id=id,
        artist_name=values.pop("artist_name", None),
        music_label_name=values.pop("music_label_name", None),
        values=values,
    )
    try:
        saved = await within.execute(request, command, receipt=receipt_for(request, body, headers))
    except Replayed as replayed:
        return replay(replayed.receipt, base_url)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Answer(fill(saved.documents[id], base_url), 201, raw)


@get(f"{PATH}/{{uid:str}}", before_request=admit, scope="read", operation=declared.GET)
async def get_product(request: ApiRequest) -> Answer:
    row = await _row(request, _id(request))
    tag = etag(row.revision)
    if is_known(request.scope, tag):
        return Answer(status=304, headers=[(b"etag", tag.encode()), CACHED])
    return _answer(request, row)


@patch(f"{PATH}/{{uid:str}}", before_request=admit, scope="write", operation=declared.REVISE)
async def revise_product(request: ApiRequest) -> Answer:
    id = _id(request)
    try:
        values = await _revision(request)
    except (BadRequest, UnsupportedMediaType, Invalid):
        # A product that is not there is 404, whatever is said of it.
        await _row(request, id)
        raise
    command = ReviseProduct(
        id=id,
        artist_name=values.pop("artist_name", UNSET),
        music_label_name=values.pop("music_label_name", UNSET),
        values=values,
    )
    await services(request).execute(request, command, guard=_guard(request, id))
    return _answer(request, await _row(request, id))


@delete(f"{PATH}/{{uid:str}}", before_request=admit, scope="write", status_code=200, operation=declared.DELETE)
async def delete_product(request: ApiRequest) -> Answer:
    id = _id(request)
    await services(request).execute(request, DeleteProduct(id), guard=_guard(request, id))
    return Answer(status=204)


def _id(request: ApiRequest) -> UUID:
    id = ids.parse(ids.PRODUCT, request.scope["path_params"]["uid"])
    if id is None:
        raise NotFound
    return id


async def _revision(request: ApiRequest) -> dict[str, Any]:
    values, errors = REVISE.parse(await json_body(request), is_strict(request))
    if errors:
        raise Invalid(errors)
    return values


async def _row(request: ApiRequest, id: UUID) -> Row:
    row = await detail(services(request).reader, request.auth.organization, id)
    if row is None:
        raise NotFound
    return row


def _answer(request: ApiRequest, row: Row) -> Answer:
    headers: list[Header] = [(b"etag", etag(row.revision).encode()), CACHED]
    return Answer(fill(row.document, services(request).addresses.base_url(request.scope)), headers=headers)


def _guard(request: ApiRequest, id: UUID) -> Guard | None:
    accepts: Callable[[str], bool] | None = accepted(request.scope)
    if accepts is None:
        return None
    return expect(id, lambda revision: accepts(etag(revision)))


HANDLERS: list[Any] = [list_products, create_product, get_product, revise_product, delete_product]

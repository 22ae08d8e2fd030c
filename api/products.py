"""/api/v1/products/: parse, one command or one query, answer."""

from hashlib import blake2b
from typing import Any

from litestar import delete, get, patch, post
from msgspec import UNSET
from uuid_utils.compat import uuid7

from api.answers import Answer
from api.as_of import moment_of, products_then, then
from api.auth import admit
from api.conditional import CACHED, is_known, unless_known
from api.cursors import spelled
from api.errors import InvalidPage
from api.hot import hot_page
from api.objects import create, guard, page_of, path_id, said, show, walk_of
from api.openapi import products as declared
from api.page_cache import Page
from api.product_filters import product_query
from api.requests import ApiRequest, parse_query
from api.services import services
from commands.product import CreateProduct, DeleteProduct, ReviseProduct
from domain import ids
from domain.errors import Invalid, NotFound
from domain.product.form import CREATE, REVISE
from projections.as_of import product_at
from projections.documents import DOCUMENT_VERSION, etag
from projections.product import Row, detail, expect
from projections.product_page import page, walk

PATH = "/api/v1/products"
ONE = f"{PATH}/{{uid:str}}"


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_products(request: ApiRequest) -> Answer:
    within, caller = services(request), request.auth
    if (moment := await moment_of(request)) is not None:
        return await products_then(request, PATH, moment)
    query = request.scope["query_string"]
    base_url = within.addresses.base_url(request.scope)
    # The key was checked before the page is read: a write in between makes this tag older than its page, never newer.
    address = blake2b(b"%b?%b" % (base_url.encode(), query), digest_size=8)
    tag = f'"{DOCUMENT_VERSION}-{caller.revision}-{address.hexdigest()}"'

    async def make() -> Page:
        parsed = parse_query(query)
        asked = product_query(parsed)
        at = (caller.product_count, caller.revision)
        if asked.is_walk:
            total, documents, following = await walk(within.reader, caller.organization, asked, *at)
            cursor = None if following is None else spelled(asked, following)
            return Page(walk_of(request, PATH, parsed, count=total, cursor=cursor, results=documents), tag)
        count, number, results, exists = await page(within.reader, caller.organization, asked, *at)
        if not exists:
            raise InvalidPage
        sizes = {"count": count, "number": number, "size": asked.page_size}
        return Page(page_of(request, PATH, parsed, **sizes, results=results), tag)

    if is_known(request.scope, tag):
        product_query(parse_query(query))
        return Answer(status=304, headers=[(b"etag", tag.encode()), CACHED])
    return unless_known(request.scope, *await hot_page(request, make))


@post(PATH, before_request=admit, scope="write", operation=declared.CREATE)
async def create_product(request: ApiRequest) -> Answer:
    body = await said(request, CREATE)
    if body.errors:
        raise Invalid(body.errors)
    id, values = uuid7(), body.values
    command = CreateProduct(
        id=id,
        artist_name=values.pop("artist_name", None),
        music_label_name=values.pop("music_label_name", None),
        values=values,
    )
    headers = {"ETag": etag(1), "Location": f"{PATH}/{ids.uid(ids.PRODUCT, id)}/"}
    return await create(request, id, command, body, headers)


@get(ONE, before_request=admit, scope="read", operation=declared.GET)
async def get_product(request: ApiRequest) -> Answer:
    if (moment := await moment_of(request)) is not None:
        state = await product_at(
            services(request).reader, request.auth.organization, path_id(request, ids.PRODUCT), moment
        )
        return await then(request, state)

    async def make() -> Page:
        row = await found(request)
        return Page(services(request).fill(request, row.document), etag(row.revision))

    return unless_known(request.scope, *await hot_page(request, make))


@patch(ONE, before_request=admit, scope="write", operation=declared.REVISE)
async def revise_product(request: ApiRequest) -> Answer:
    id = path_id(request, ids.PRODUCT)
    _, values, errors = await said(request, REVISE, lambda: found(request))
    command = ReviseProduct(
        id=id,
        artist_name=values.pop("artist_name", UNSET),
        music_label_name=values.pop("music_label_name", UNSET),
        values=values,
        errors=errors,
    )
    await services(request).execute(request, command, guard=guard(request, id, expect, etag))
    row = await found(request)
    return show(request, row.document, etag(row.revision))


@delete(ONE, before_request=admit, scope="write", status_code=200, operation=declared.DELETE)
async def delete_product(request: ApiRequest) -> Answer:
    id = path_id(request, ids.PRODUCT)
    await services(request).execute(request, DeleteProduct(id), guard=guard(request, id, expect, etag))
    return Answer(status=204)


async def found(request: ApiRequest) -> Row:
    """Return the product that the path names. Raises NotFound."""
    row = await detail(services(request).reader, request.auth.organization, path_id(request, ids.PRODUCT))
    if row is None:
        raise NotFound
    return row


HANDLERS: list[Any] = [list_products, create_product, get_product, revise_product, delete_product]

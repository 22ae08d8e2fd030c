"""/api/v1/inventory/: the copies of products, one by one."""

from typing import Any

from litestar import delete, get, patch, post
from uuid_utils.compat import uuid7

from api.answers import Answer
from api.as_of import moment_of, then
from api.auth import admit
from api.conditional import content_tag, tagged
from api.cursors import spelled
from api.errors import InvalidPage
from api.inventory_filters import inventory_query
from api.objects import create, guard, page_of, path_id, said, show, walk_of
from api.openapi import inventory as declared
from api.requests import ApiRequest, parse_query
from api.services import services
from commands.inventory import CreateItem, DeleteItem, ReviseItem
from domain import ids
from domain.errors import NotFound
from domain.inventory.form import CREATE, REVISE
from projections.as_of import item_at
from projections.inventory import detail, expect
from projections.inventory_page import page, walk

PATH = "/api/v1/inventory"
ONE = f"{PATH}/{{uid:str}}"


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_items(request: ApiRequest) -> Answer:
    query = parse_query(request.scope["query_string"])
    asked = inventory_query(query)
    reader, caller = services(request).reader, request.auth
    if asked.is_walk:
        total, documents, following = await walk(reader, caller.organization, asked, caller.revision)
        cursor = None if following is None else spelled(asked, following)
        body = walk_of(request, PATH, query, count=total, cursor=cursor, results=documents)
    else:
        count, number, results, exists = await page(reader, caller.organization, asked, caller.revision)
        if not exists:
            raise InvalidPage
        body = page_of(request, PATH, query, count=count, number=number, size=asked.page_size, results=results)
    # A tag of the page itself: its items grow older without a write.
    return tagged(request.scope, body)


@post(PATH, before_request=admit, scope="write", operation=declared.CREATE)
async def create_item(request: ApiRequest) -> Answer:
    body = await said(request, CREATE)
    id = uuid7()
    command = CreateItem(id=id, product=body.values.pop("product_uid", None), values=body.values, errors=body.errors)
    headers = {"Location": f"{PATH}/{ids.uid(ids.INVENTORY, id)}/"}
    return await create(request, id, command, body, headers, lambda document: {"ETag": content_tag(document)})


@get(ONE, before_request=admit, scope="read", operation=declared.GET)
async def get_item(request: ApiRequest) -> Answer:
    if (moment := await moment_of(request)) is not None:
        id, organization = path_id(request, ids.INVENTORY), request.auth.organization
        return await then(request, await item_at(services(request).reader, organization, id, moment))
    document = await found(request)
    return show(request, document, content_tag(document))


@patch(ONE, before_request=admit, scope="write", operation=declared.REVISE)
async def revise_item(request: ApiRequest) -> Answer:
    id = path_id(request, ids.INVENTORY)
    body = await said(request, REVISE, lambda: found(request))
    command = ReviseItem(id=id, values=body.values, errors=body.errors)
    saved = await services(request).execute(request, command, guard=guard(request, id, expect, content_tag))
    document = saved.documents.get(id) or await found(request)
    return show(request, document, content_tag(document))


@delete(ONE, before_request=admit, scope="write", status_code=200, operation=declared.DELETE)
async def delete_item(request: ApiRequest) -> Answer:
    id = path_id(request, ids.INVENTORY)
    await services(request).execute(request, DeleteItem(id=id), guard=guard(request, id, expect, content_tag))
    return Answer(status=204)


async def found(request: ApiRequest) -> str:
    """Return the item that the path names, as its document. Raises NotFound."""
    id = path_id(request, ids.INVENTORY)
    document = await detail(services(request).reader, request.auth.organization, id)
    if document is None:
        raise NotFound
    return document


HANDLERS: list[Any] = [list_items, create_item, get_item, revise_item, delete_item]

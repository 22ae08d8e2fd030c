"""/api/v1/products/{uid}/marketplace-presences/: where a product is represented."""

import re
from typing import Any

import msgspec
from litestar import delete, get, patch, post
from msgspec import Struct
from uuid_utils.compat import uuid7

from api import products
from api.answers import Answer
from api.as_of import moment_of, then
from api.auth import admit
from api.conditional import content_tag, tagged
from api.objects import create, guard, path_id, said, show
from api.openapi import presences as declared
from api.requests import ApiRequest
from api.services import services
from commands.presence import CreatePresence, DeletePresence, RevisePresence
from domain import ids
from domain.errors import NotFound
from domain.presence.form import CREATE, REVISE
from projections.as_of import presence_at
from projections.presence import Row, detail, expect, of_product

PATH = f"{products.ONE}/marketplace-presences"
ONE = f"{PATH}/{{id:str}}"
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_MAX_NUMBER = 2**63 - 1


class _Numbered(Struct):
    id: int


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_presences(request: ApiRequest) -> Answer:
    within, product = services(request), path_id(request, ids.PRODUCT)
    documents = await of_product(within.reader, request.auth.organization, product)
    if documents is None:
        raise NotFound
    return tagged(request.scope, b"[%b]" % within.fill(request, documents))


@post(PATH, before_request=admit, scope="write", operation=declared.CREATE)
async def create_presence(request: ApiRequest) -> Answer:
    product, id = path_id(request, ids.PRODUCT), uuid7()
    body = await said(request, CREATE, lambda: products.found(request))
    command = CreatePresence(id=id, product=product, values=body.values, errors=body.errors)

    def told(document: str) -> dict[str, str]:
        number = msgspec.json.decode(document, type=_Numbered).id
        path = PATH.replace("{uid:str}", ids.uid(ids.PRODUCT, product))
        return {"ETag": content_tag(document), "Location": f"{path}/{number}/"}

    return await create(request, id, command, body, {}, told)


@get(ONE, before_request=admit, scope="read", operation=declared.GET)
async def get_presence(request: ApiRequest) -> Answer:
    if (moment := await moment_of(request)) is not None:
        product, organization = path_id(request, ids.PRODUCT), request.auth.organization
        at = await presence_at(services(request).reader, organization, product, path_number(request), moment)
        return await then(request, at)
    document = (await found(request)).document
    return show(request, document, content_tag(document))


@patch(ONE, before_request=admit, scope="write", operation=declared.REVISE)
async def revise_presence(request: ApiRequest) -> Answer:
    body = await said(request, REVISE, lambda: found(request))
    row = await found(request)
    command = RevisePresence(id=row.id, product=path_id(request, ids.PRODUCT), values=body.values, errors=body.errors)
    await services(request).execute(request, command, guard=guard(request, row.id, expect, content_tag))
    # Read again: when it was last checked is known to the tables alone.
    document = (await found(request)).document
    return show(request, document, content_tag(document))


@delete(ONE, before_request=admit, scope="write", status_code=200, operation=declared.DELETE)
async def delete_presence(request: ApiRequest) -> Answer:
    row = await found(request)
    command = DeletePresence(row.id, path_id(request, ids.PRODUCT))
    await services(request).execute(request, command, guard=guard(request, row.id, expect, content_tag))
    return Answer(status=204)


def path_number(request: ApiRequest) -> int:
    """Return the presence's number that the path names. Raises NotFound for what is none."""
    text = request.scope["path_params"]["id"]
    if not _NUMBER.fullmatch(text) or (number := int(text)) > _MAX_NUMBER:
        raise NotFound
    return number


async def found(request: ApiRequest) -> Row:
    """Return the presence that the path names. Raises NotFound."""
    product, number = path_id(request, ids.PRODUCT), path_number(request)
    row = await detail(services(request).reader, request.auth.organization, product, number)
    if row is None:
        raise NotFound
    return row


HANDLERS: list[Any] = [list_presences, create_presence, get_presence, revise_presence, delete_presence]

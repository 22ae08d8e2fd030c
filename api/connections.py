"""/api/v1/marketplace-connections/: accounts on marketplaces, which workers try and keep in step."""

from typing import Any

from litestar import delete, get, patch, post
from uuid_utils.compat import uuid7

from api.answers import Answer
from api.auth import admit
from api.conditional import tagged
from api.errors import InvalidPage
from api.objects import create, guard, page_of, path_id, said, show
from api.openapi import connections as declared
from api.pages import page_number, page_size
from api.requests import ApiRequest, parse_query
from api.services import services
from commands.connection import CreateConnection, DeleteConnection, RequestTest, ReviseConnection
from commands.vault import Vault
from domain import ids
from domain.connection.form import CREATE, REVISE, credential_errors, platform_errors
from domain.errors import Invalid, NotFound
from projections.connection import Row, detail, expect, page
from projections.documents import etag

PATH = "/api/v1/marketplace-connections"
ONE = f"{PATH}/{{uid:str}}"
PAGE_SIZE = 15


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_connections(request: ApiRequest) -> Answer:
    query = parse_query(request.scope["query_string"])
    size = page_size(query, PAGE_SIZE)
    found = await page(services(request).reader, request.auth.organization, page_number(query), size)
    if found is None:
        raise InvalidPage
    body = page_of(request, PATH, query, count=found.total, number=found.number, size=size, results=found.results)
    return tagged(request.scope, body)


@post(PATH, before_request=admit, scope="admin", operation=declared.CREATE)
async def create_connection(request: ApiRequest) -> Answer:
    body = await said(request, CREATE)
    values, errors = body.values, dict(body.errors)
    if (platform := values.get("platform_uid")) is not None:
        errors = {**platform_errors(platform), **errors}
        if "credentials" in values:
            errors = {**credential_errors(platform, values["credentials"]), **errors}
    if errors:
        raise Invalid(errors)
    id, credentials = uuid7(), values.pop("credentials", None)
    sealed = None if credentials is None else vault(request).seal(id, credentials)
    headers = {"Location": f"{PATH}/{ids.uid(ids.CONNECTION, id)}/", "ETag": etag(1 if sealed is None else 2)}
    return await create(request, id, CreateConnection(id=id, values=values, sealed=sealed), body, headers)


@get(ONE, before_request=admit, scope="read", operation=declared.GET)
async def get_connection(request: ApiRequest) -> Answer:
    return _show(request, await row_of(request))


@patch(ONE, before_request=admit, scope="admin", operation=declared.REVISE)
async def revise_connection(request: ApiRequest) -> Answer:
    body = await said(request, REVISE, lambda: row_of(request))
    row, values = await row_of(request), body.values
    credentials, errors = values.pop("credentials", None), dict(body.errors)
    if credentials is not None:
        errors = {**credential_errors(row.platform_uid, credentials), **errors}
    if errors:
        raise Invalid(errors)
    id = path_id(request, ids.CONNECTION)
    sealed = None if credentials is None else vault(request).seal(id, credentials)
    command = ReviseConnection(id=id, values=values, sealed=sealed)
    await services(request).execute(request, command, guard=guard(request, id, expect, etag))
    return _show(request, await row_of(request))


@delete(ONE, before_request=admit, scope="admin", status_code=200, operation=declared.DELETE)
async def delete_connection(request: ApiRequest) -> Answer:
    id = path_id(request, ids.CONNECTION)
    await services(request).execute(request, DeleteConnection(id=id), guard=guard(request, id, expect, etag))
    return Answer(status=204)


@post(f"{ONE}/test", before_request=admit, scope="admin", status_code=202, operation=declared.TEST)
async def request_test(request: ApiRequest) -> Answer:
    """The body says nothing: whatever it holds is not read. A worker tries it at once; `status` tells the outcome."""
    saved = await services(request).execute(request, RequestTest(id=path_id(request, ids.CONNECTION)))
    [document] = saved.documents.values()
    return Answer(services(request).fill(request, document), 202)


def _show(request: ApiRequest, row: Row) -> Answer:
    return show(request, row.document, etag(row.revision))


async def row_of(request: ApiRequest) -> Row:
    row = await detail(services(request).reader, request.auth.organization, path_id(request, ids.CONNECTION))
    if row is None:
        raise NotFound
    return row


def vault(request: ApiRequest) -> Vault:
    settings = services(request).settings
    return Vault(settings.secret_key, settings.previous_secret_key)


HANDLERS: list[Any] = [
    list_connections,
    create_connection,
    get_connection,
    revise_connection,
    delete_connection,
    request_test,
]

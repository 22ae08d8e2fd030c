"""/api/v1/marketplace-connections/: accounts on marketplaces. The API asks no marketplace itself: workers do."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import delete, get, patch, post
from uuid_utils.compat import uuid7

from api.answers import Answer, json_answer
from api.auth import admit
from api.conditional import tagged
from api.errors import BadRequest, InvalidPage
from api.objects import create, guard, page_of, path_id, said, show
from api.openapi import connections as declared
from api.pages import page_number, page_size
from api.requests import ApiRequest, parse_query, request_id
from api.services import services
from commands.connection import BeginConsent, CreateConnection, DeleteConnection, RequestTest, ReviseConnection
from commands.vault import Vault
from commands.work import Context
from domain import ids
from domain.connection.form import CAPABILITIES, CREATE, REVISE, credential_errors, platform_errors
from domain.errors import Invalid, NotFound
from projections.connection import Row, detail, expect, page, returned
from projections.documents import etag

PATH = "/api/v1/marketplace-connections"
ONE = f"{PATH}/{{uid:str}}"
PAGE_SIZE = 15
CONSENT_SECONDS = 600
SCOPES = " ".join(f"https://api.ebay.com/oauth/api_scope/sell.{name}" for name in ("inventory", "fulfillment"))
NOT_SET_UP = "EBAY_CLIENT_ID and EBAY_RU_NAME are not set."
NOT_BY_CONSENT = "This platform is connected with a token."
_PAGE = b"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Deadwax</title></head>
<body><p>Thank you. The account is being connected; you can close this page.</p></body></html>"""
_PRIVATE = ((b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer"))


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
    sealed = None if credentials is None else _vault(request).seal(id, credentials)
    headers = {"Location": f"{PATH}/{ids.uid(ids.CONNECTION, id)}/", "ETag": etag(1 if sealed is None else 2)}
    return await create(request, id, CreateConnection(id=id, values=values, sealed=sealed), body, headers)


@get(ONE, before_request=admit, scope="read", operation=declared.GET)
async def get_connection(request: ApiRequest) -> Answer:
    return _show(request, await _row(request))


@patch(ONE, before_request=admit, scope="admin", operation=declared.REVISE)
async def revise_connection(request: ApiRequest) -> Answer:
    body = await said(request, REVISE, lambda: _row(request))
    row, values = await _row(request), body.values
    credentials, errors = values.pop("credentials", None), dict(body.errors)
    if credentials is not None:
        errors = {**credential_errors(row.platform_uid, credentials), **errors}
    if errors:
        raise Invalid(errors)
    id = path_id(request, ids.CONNECTION)
    sealed = None if credentials is None else _vault(request).seal(id, credentials)
    command = ReviseConnection(id=id, values=values, sealed=sealed)
    await services(request).execute(request, command, guard=guard(request, id, expect, etag))
    return _show(request, await _row(request))


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


@post(f"{ONE}/authorize", before_request=admit, scope="admin", status_code=200, operation=declared.AUTHORIZE)
async def begin_consent(request: ApiRequest) -> Answer:
    """The body says nothing: whatever it holds is not read."""
    row, within = await _row(request), services(request)
    if not CAPABILITIES[row.platform_uid].authorize:
        raise Invalid({"non_field_errors": [NOT_BY_CONSENT]})
    settings = within.settings
    if not (settings.ebay_client_id and settings.ebay_ru_name):
        raise Invalid({"non_field_errors": [NOT_SET_UP]})
    state = secrets.token_urlsafe(32)
    until = datetime.now(UTC) + timedelta(seconds=CONSENT_SECONDS)
    id = path_id(request, ids.CONNECTION)
    await within.execute(request, BeginConsent(id=id, state_digest=_digest(state), until=until))
    query = urlencode(
        {
            "client_id": settings.ebay_client_id,
            "redirect_uri": settings.ebay_ru_name,
            "response_type": "code",
            "scope": SCOPES,
            "state": state,
        }
    )
    url = f"{settings.ebay_auth_url}/oauth2/authorize?{query}"
    return json_answer({"authorization_url": url, "expires_at": until}, headers=[(b"cache-control", b"no-store")])


@get(f"{PATH}/callback", operation=declared.CALLBACK)
async def end_consent(request: ApiRequest) -> Answer:
    """Where the platform sends the seller back: the state says who it is, once, and the code is for a worker."""
    query, within = parse_query(request.scope["query_string"]), services(request)
    state, code = query.last("state"), query.last("code")
    found = await returned(within.reader, _digest(state)) if state else None
    if found is None or not found.is_in_time:
        raise BadRequest("This consent is not expected, or no longer. Begin again.")
    if not code:
        raise BadRequest("The marketplace gave no consent.")
    sealed = _vault(request).seal(found.connection, {"code": code})
    command = ReviseConnection(id=found.connection, values={}, sealed=sealed)
    context = Context(found.organization, "system", request_id(request.scope))
    await within.in_turn(lambda: within.bus.execute(command, context))
    return Answer(_PAGE, headers=_PRIVATE, media_type=b"text/html; charset=utf-8")


def _show(request: ApiRequest, row: Row) -> Answer:
    return show(request, row.document, etag(row.revision))


async def _row(request: ApiRequest) -> Row:
    row = await detail(services(request).reader, request.auth.organization, path_id(request, ids.CONNECTION))
    if row is None:
        raise NotFound
    return row


def _vault(request: ApiRequest) -> Vault:
    return Vault(services(request).settings.secret_key)


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode(errors="replace")).digest()


HANDLERS: list[Any] = [
    list_connections,
    create_connection,
    end_consent,
    get_connection,
    revise_connection,
    delete_connection,
    request_test,
    begin_consent,
]

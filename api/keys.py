"""/api/v1/api-keys/: a key is shown once, by the answer that makes it."""

from typing import Any

import msgspec
from litestar import delete, get, post
from uuid_utils.compat import uuid7

from api.answers import Answer, encode, json_answer
from api.auth import admit
from api.conditional import tagged
from api.errors import InvalidPage
from api.idempotency import receipt_for, replay
from api.objects import page_of, path_id, said
from api.openapi import keys as declared
from api.pages import page_number, page_size
from api.requests import ApiRequest, parse_query
from api.services import services
from commands.organization import CreateKey, RevokeKey, RotateKey, new_secret
from commands.save import Replayed
from domain import ids
from domain.errors import Invalid
from domain.organization.form import CREATE_KEY
from projections.organizations import KeyDocument, key_document, keys

PATH = "/api/v1/api-keys"
PAGE_SIZE = 15
_NO_STORE = (b"cache-control", b"no-store")


@get(PATH, before_request=admit, scope="admin", operation=declared.LIST)
async def list_keys(request: ApiRequest) -> Answer:
    query = parse_query(request.scope["query_string"])
    asked, size = page_number(query), page_size(query, PAGE_SIZE)
    within = services(request)
    live = [row for row in await keys(within.reader, request.auth.organization) if row.revoked is None]
    last = max(1, -(-len(live) // size))
    number = last if asked is None else asked
    if number > last:
        raise InvalidPage
    shown = live[(number - 1) * size : number * size]
    results = b",".join(encode(_without_secret(key_document(row))) for row in shown).decode()
    body = page_of(request, PATH, query, count=len(live), number=number, size=size, results=results)
    return tagged(request.scope, body)


@post(PATH, before_request=admit, scope="admin", operation=declared.CREATE)
async def create_key(request: ApiRequest) -> Answer:
    body, values, errors = await said(request, CREATE_KEY)
    if errors:
        raise Invalid(errors)
    id, secret = uuid7(), new_secret()
    command = CreateKey(id=id, name=values["name"], scopes=values["scopes"], digest=secret.digest, prefix=secret.prefix)
    return await _show(request, command, secret.text, body, status=201)


@post(f"{PATH}/{{uid:str}}/rotate", before_request=admit, scope="admin", operation=declared.ROTATE)
async def rotate_key(request: ApiRequest) -> Answer:
    """The body says nothing: whatever it holds is not read."""
    secret = new_secret()
    command = RotateKey(path_id(request, ids.API_KEY), secret.digest, secret.prefix)
    return await _show(request, command, secret.text, {}, status=200)


@delete(f"{PATH}/{{uid:str}}", before_request=admit, scope="admin", status_code=200, operation=declared.REVOKE)
async def revoke_key(request: ApiRequest) -> Answer:
    await services(request).execute(request, RevokeKey(path_id(request, ids.API_KEY)))
    return Answer(status=204)


async def _show(request: ApiRequest, command: CreateKey | RotateKey, secret: str, body: Any, status: int) -> Answer:
    """Run the command and answer with the key. A repeat shows null in the secret's place: it is kept nowhere."""
    within = services(request)
    receipt = receipt_for(request, body, {}, status=status)
    try:
        saved = await within.execute(request, command, receipt=receipt)
    except Replayed as replayed:
        return replay(request, replayed.receipt)
    document = msgspec.json.decode(saved.documents[command.id], type=KeyDocument)
    return json_answer(msgspec.structs.replace(document, key=secret), status, headers=[_NO_STORE])


def _without_secret(document: KeyDocument) -> dict[str, Any]:
    shown = msgspec.structs.asdict(document)
    del shown["key"]
    return shown


HANDLERS: list[Any] = [list_keys, create_key, rotate_key, revoke_key]

"""/api/v1/digital/: selling what a product's files are, and what was sold."""

from typing import Any
from uuid import UUID

from litestar import get, post
from uuid_utils.compat import uuid7

from api.answers import Answer
from api.as_of import moment_of, then
from api.auth import admit
from api.conditional import tagged
from api.cursors import spelled
from api.errors import InvalidPage, Throttled
from api.idempotency import receipt_for, replay
from api.objects import page_of, path_id, raw, said, show, walk_of
from api.openapi import purchases as declared
from api.purchase_filters import purchase_query
from api.requests import ApiRequest, parse_query
from api.services import services
from commands.purchase import Fulfill, ResendMail, RestorePurchase, RevokePurchase
from commands.save import Receipt, Replayed
from commands.tokens import digest_of, download_token
from domain import ids
from domain.errors import NotFound
from domain.purchase.errors import TooManyMails
from domain.purchase.form import FULFILL
from projections.as_of import purchase_at
from projections.documents import etag
from projections.purchase import buyer_of, detail
from projections.purchase_document import uid_of, with_buyer
from projections.purchase_page import page, walk

FULFILL_PATH = "/api/v1/digital/fulfill"
PATH = "/api/v1/digital/purchases"
ONE = f"{PATH}/{{uid:str}}"


@post(FULFILL_PATH, before_request=admit, scope="write", operation=declared.FULFILL)
async def fulfill(request: ApiRequest) -> Answer:
    """201 with a new purchase, 200 with the first one of an order that was fulfilled before."""
    body, values, errors = await said(request, FULFILL)
    id, secret = uuid7(), services(request).settings.secret_key
    command = Fulfill(
        id=id,
        product=values.get("product_uid"),
        email=values.get("buyer_email"),
        name=values.get("buyer_name"),
        external_order_id=values.get("external_order_id"),
        max_downloads=values.get("max_downloads"),
        expires_at=values.get("expires_at"),
        token_digest=digest_of(download_token(secret, id)),
        errors=errors,
    )
    headers = {"Location": f"{PATH}/{ids.uid(ids.PURCHASE, id)}/", "ETag": etag(1)}
    receipt = None if errors else receipt_for(request, body, headers)
    try:
        saved = await services(request).execute(request, command, receipt=receipt)
    except Replayed as replayed:
        return await _replay(request, replayed.receipt)
    [(found, document)] = saved.documents.items()
    filled = services(request).fill(request, await _with_buyer(request, found, document))
    return Answer(filled, 201, raw(headers)) if found == id else Answer(filled)


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_purchases(request: ApiRequest) -> Answer:
    query = parse_query(request.scope["query_string"])
    asked = purchase_query(query)
    reader, organization = services(request).reader, request.auth.organization
    if asked.is_walk:
        total, documents, following = await walk(reader, organization, asked)
        cursor = None if following is None else spelled(asked, following)
        body = walk_of(request, PATH, query, count=total, cursor=cursor, results=documents)
    else:
        count, number, results, exists = await page(reader, organization, asked)
        if not exists:
            raise InvalidPage
        body = page_of(request, PATH, query, count=count, number=number, size=asked.page_size, results=results)
    return tagged(request.scope, body)


@get(ONE, before_request=admit, scope="read", operation=declared.GET)
async def get_purchase(request: ApiRequest) -> Answer:
    if (moment := await moment_of(request)) is not None:
        id, organization = path_id(request, ids.PURCHASE), request.auth.organization
        was = await purchase_at(services(request).reader, organization, id, moment)
        return await then(request, was and was._replace(document=await _with_buyer(request, id, was.document)))
    row = await detail(services(request).reader, request.auth.organization, path_id(request, ids.PURCHASE))
    if row is None:
        raise NotFound
    return show(request, row.document, etag(row.revision))


@post(f"{ONE}/resend-email", before_request=admit, scope="write", status_code=200, operation=declared.RESEND)
async def resend_email(request: ApiRequest) -> Answer:
    try:
        return await _ask(request, ResendMail(id=path_id(request, ids.PURCHASE)))
    except TooManyMails as error:
        raise Throttled(error.seconds) from None


@post(f"{ONE}/revoke", before_request=admit, scope="write", status_code=200, operation=declared.REVOKE)
async def revoke_purchase(request: ApiRequest) -> Answer:
    return await _ask(request, RevokePurchase(id=path_id(request, ids.PURCHASE)))


@post(f"{ONE}/restore", before_request=admit, scope="write", status_code=200, operation=declared.RESTORE)
async def restore_purchase(request: ApiRequest) -> Answer:
    return await _ask(request, RestorePurchase(id=path_id(request, ids.PURCHASE)))


async def _ask(request: ApiRequest, command: ResendMail | RevokePurchase | RestorePurchase) -> Answer:
    """Run the command and answer with the purchase. The body says nothing: whatever it holds is not read."""
    within = services(request)
    receipt = receipt_for(request, {}, {}, status=200)
    try:
        saved = await within.execute(request, command, receipt=receipt)
    except Replayed as replayed:
        return await _replay(request, replayed.receipt)
    document = saved.documents[command.id]
    return Answer(within.fill(request, await _with_buyer(request, command.id, document)))


async def _replay(request: ApiRequest, receipt: Receipt) -> Answer:
    """Answer as before. What is kept of the first answer does not say who bought."""
    document = receipt.body or ""
    id = ids.parse(ids.PURCHASE, uid_of(document))
    assert id is not None
    return replay(request, receipt._replace(body=await _with_buyer(request, id, document)))


async def _with_buyer(request: ApiRequest, id: UUID, document: str) -> str:
    return with_buyer(document, await buyer_of(services(request).reader, id))


HANDLERS: list[Any] = [
    fulfill,
    list_purchases,
    get_purchase,
    resend_email,
    revoke_purchase,
    restore_purchase,
]

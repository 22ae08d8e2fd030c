"""…/notifications/ of a connection: where eBay asks whether we are there, and tells what happened. Without a key: what
is asked is public, and what is told is signed.

What is told is a hint: orders are read anew, and nothing of it is kept but that it came.
"""

import hashlib
from typing import Any
from uuid import UUID

from litestar import get, post
from msgspec import Struct, ValidationError, convert

from api.answers import Answer, json_answer
from api.connections import ONE
from api.errors import BadRequest, BadSignature
from api.objects import path_id
from api.openapi import notifications as declared
from api.requests import ApiRequest, header, parse_json, parse_query, read_body, request_id
from api.services import Services, services
from commands.ebay_signature import NoSignature, parsed
from commands.notification import TakeNotification
from commands.tokens import verification_token
from commands.work import Context
from domain import ids
from domain.errors import NotFound
from projections.connection import NOTIFIES
from projections.notification import Receiver, receiver

PATH = f"{ONE}/notifications"
MAX_BODY_BYTES = 64 * 1024
MAX_CHALLENGE_CHARACTERS = 1000
_NO_STORE = ((b"cache-control", b"no-store"),)


class _Metadata(Struct):
    topic: str


class _Notification(Struct):
    notificationId: str  # noqa: N815 - eBay's name


class _Envelope(Struct):
    """Of what is told that alone: the rest is not read."""

    metadata: _Metadata
    notification: _Notification


@get(PATH, operation=declared.CHALLENGE)
async def answer_challenge(request: ApiRequest) -> Answer:
    id, _ = await _received(request)
    code = parse_query(request.scope["query_string"]).last("challenge_code")
    if code is None or len(code) > MAX_CHALLENGE_CHARACTERS:
        raise BadRequest("The query has no challenge_code, or one that is too long.")
    within = services(request)
    token = verification_token(within.settings.secret_key, id)
    said = hashlib.sha256(f"{code}{token}{_address(within, request, id)}".encode(errors="replace"))
    return json_answer({"challengeResponse": said.hexdigest()}, headers=_NO_STORE)


@post(PATH, status_code=200, operation=declared.TAKE)
async def take_notification(request: ApiRequest) -> Answer:
    id, found = await _received(request)
    within = services(request)
    body = await read_body(request, MAX_BODY_BYTES, within.settings.body_timeout_seconds)
    try:
        signature = parsed(header(request.scope, b"x-ebay-signature"))
    except NoSignature as error:
        raise BadSignature from error
    key = await within.outside.key(within.reader, signature.kid)
    if key is None or not key.signed(signature, body):
        raise BadSignature
    try:
        said = convert(parse_json(body), _Envelope)
    except ValidationError as error:
        raise BadRequest("This is no notification.") from error
    command = TakeNotification(
        connection=id, notification_id=said.notification.notificationId, topic=said.metadata.topic
    )
    context = Context(found.organization, "system", request_id(request.scope))
    await within.in_turn(lambda: within.bus.execute(command, context))
    return Answer(status=204)


async def _received(request: ApiRequest) -> tuple[UUID, Receiver]:
    """Return for which connection it is. Raises NotFound."""
    id = path_id(request, ids.CONNECTION)
    found = await receiver(services(request).reader, id)
    if found is None or found.platform_uid not in NOTIFIES:
        raise NotFound
    return id, found


def _address(within: Services, request: ApiRequest, id: UUID) -> str:
    """Return where eBay knows us, which it asks about: the same as the workers told it."""
    path = PATH.replace("{uid:str}", ids.uid(ids.CONNECTION, id))
    return f"{within.addresses.base_url(request.scope)}{path}/"


HANDLERS: list[Any] = [answer_challenge, take_notification]

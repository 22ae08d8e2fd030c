"""Where sellers are sent to consent, and where they come back: …/authorize/ and …/callback/.

The state says who comes back, once and for ten minutes. What they bring is for a worker, who gets the tokens for it.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import get, post

from api.answers import Answer, json_answer
from api.auth import admit
from api.connections import ONE, PATH, row_of, vault
from api.errors import BadGateway, BadRequest
from api.objects import path_id
from api.openapi import connections as declared
from api.requests import ApiRequest, Query, parse_query, request_id
from api.services import services
from commands.connection import BeginConsent, ReviseConnection
from commands.discogs_oauth import NOT_SET_UP as NO_DISCOGS
from commands.discogs_oauth import Declined
from commands.settings import Settings
from commands.vault import Unsealable
from commands.web import Unreachable, Unreadable
from commands.work import Context
from domain import ids
from domain.connection.form import CAPABILITIES
from domain.errors import Invalid, Unavailable
from projections.connection import Returned, returned

CONSENT_SECONDS = 600
_SCOPE = "https://api.ebay.com/oauth/api_scope"
SCOPES = " ".join(
    f"{_SCOPE}/{name}" for name in ("sell.inventory", "sell.fulfillment", "commerce.notification.subscription")
)
NO_EBAY = "EBAY_CLIENT_ID and EBAY_RU_NAME are not set."
NOT_BY_CONSENT = "This platform is connected with a token."
AWAY = "Discogs cannot be reached right now. Try again."
WRONG_APPLICATION = "Discogs does not know this application: DISCOGS_CONSUMER_KEY or DISCOGS_CONSUMER_SECRET is wrong."
UNEXPECTED = "This consent is not expected, or no longer. Begin again."
REFUSED = "The marketplace gave no consent."
_MAX_CHARACTERS = 4000
_PAGE = b"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Deadwax</title></head>
<body><p>Thank you. The account is being connected; you can close this page.</p></body></html>"""
_NO_STORE = (b"cache-control", b"no-store")
_PRIVATE = (_NO_STORE, (b"referrer-policy", b"no-referrer"))


@post(f"{ONE}/authorize", before_request=admit, scope="admin", status_code=200, operation=declared.AUTHORIZE)
async def begin_consent(request: ApiRequest) -> Answer:
    """The body says nothing: whatever it holds is not read."""
    row, within = await row_of(request), services(request)
    if not CAPABILITIES[row.platform_uid].authorize:
        raise Invalid({"non_field_errors": [NOT_BY_CONSENT]})
    id, state = path_id(request, ids.CONNECTION), secrets.token_urlsafe(32)
    if row.platform_uid == "plat_discogs":
        url, sealed = await _at_discogs(request, id, state)
    else:
        url, sealed = _at_ebay(within.settings, state), None
    until = datetime.now(UTC) + timedelta(seconds=CONSENT_SECONDS)
    await within.execute(request, BeginConsent(id=id, state_digest=_digest(state), until=until, sealed=sealed))
    return json_answer({"authorization_url": url, "expires_at": until}, headers=[_NO_STORE])


@get(f"{PATH}/callback", operation=declared.CALLBACK)
async def end_consent(request: ApiRequest) -> Answer:
    query, within = parse_query(request.scope["query_string"]), services(request)
    state = query.last("state")
    found = await returned(within.reader, _digest(state)) if state else None
    if found is None or not found.is_in_time:
        raise BadRequest(UNEXPECTED)
    brought = _from_ebay(query) if found.sealed is None else _from_discogs(request, found, found.sealed, query)
    sealed = vault(request).seal(found.connection, brought)
    command = ReviseConnection(id=found.connection, values={}, sealed=sealed)
    context = Context(found.organization, "system", request_id(request.scope))
    await within.in_turn(lambda: within.bus.execute(command, context))
    return Answer(_PAGE, headers=_PRIVATE, media_type=b"text/html; charset=utf-8")


def _at_ebay(settings: Settings, state: str) -> str:
    """Return where the seller consents."""
    if not (settings.ebay_client_id and settings.ebay_ru_name):
        raise Invalid({"non_field_errors": [NO_EBAY]})
    query = {
        "client_id": settings.ebay_client_id,
        "redirect_uri": settings.ebay_ru_name,
        "response_type": "code",
        "scope": SCOPES,
        "state": state,
    }
    return f"{settings.ebay_auth_url}/oauth2/authorize?{urlencode(query)}"


async def _at_discogs(request: ApiRequest, id: UUID, state: str) -> tuple[str, bytes]:
    """Return where the seller consents, and what their answer is opened with. Raises BadGateway, Unavailable, Busy."""
    within = services(request)
    oauth = within.outside.discogs
    if not oauth.is_set_up:
        raise Invalid({"non_field_errors": [NO_DISCOGS]})
    callback = f"{within.addresses.base_url(request.scope)}{PATH}/callback/?{urlencode({'state': state})}"
    try:
        token = await within.outside.ask(lambda: oauth.request_token(callback))
    except Unreachable as error:
        raise Unavailable(AWAY) from error
    except Unreadable as error:
        raise BadGateway(str(error)) from error
    except Declined as error:
        if error.is_passing:
            raise Unavailable(AWAY) from error
        raise BadGateway(WRONG_APPLICATION if error.status == 401 else str(error)) from error
    sealed = vault(request).seal(id, {"request_token": token.key, "request_token_secret": token.secret})
    return oauth.consent_url(token), sealed


def _from_ebay(query: Query) -> Mapping[str, str]:
    return {"code": _brought(query, "code")}


def _from_discogs(request: ApiRequest, found: Returned, sealed: bytes, query: Query) -> Mapping[str, str]:
    """Return what a worker gets the token for. Raises BadRequest where it is not for the token that we asked for."""
    try:
        known = vault(request).open(found.connection, sealed)
    except Unsealable as error:
        raise BadRequest(UNEXPECTED) from error
    verifier = _brought(query, "oauth_verifier")
    if not secrets.compare_digest(_brought(query, "oauth_token").encode(), known["request_token"].encode()):
        raise BadRequest(UNEXPECTED)
    return {**known, "verifier": verifier}


def _brought(query: Query, name: str) -> str:
    value = query.last(name)
    if value is None or len(value) > _MAX_CHARACTERS:
        raise BadRequest(REFUSED)
    return value


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode(errors="replace")).digest()


HANDLERS: list[Any] = [end_consent, begin_consent]

"""Who asks: every handler under /api/v1 has `before_request=admit` and says which scope it takes.

Not a guard: the framework copies a handler for each call of one, at a tenth of the cost of a list."""

import re

from litestar.types import Scope

from api.errors import HttpError, InvalidToken, NotAuthenticated, PermissionDenied
from api.requests import ApiRequest, Caller, expect_body
from api.services import Services, services
from commands.organization import digest
from domain import ids
from domain.errors import DeadwaxError

_BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)
_WITH_BODY = frozenset({"POST", "PATCH"})
_OUTCOME = "entered"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def presented_key(scope: Scope) -> str | None:
    """Return the key as sent; None without one. An Authorization header of another form counts as none."""
    bearer = plain = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            found = _BEARER.fullmatch(value)
            bearer = found[1] if found else None
        elif name == b"x-api-key":
            plain = value.strip() or None
    key = bearer or plain
    return None if key is None else key.decode("latin-1")


async def admit(request: ApiRequest) -> None:
    """Let the request in as its key's Caller, or raise why not: 401, 403, 429."""
    scope = request.scope
    if scope["method"] in _WITH_BODY and presented_key(scope) is not None:
        expect_body(request)
    await enter(scope, services(request), scope["route_handler"].opt["scope"])


async def enter(scope: Scope, within: Services, needed: str) -> Caller:
    """Return who asks, with the scope that is needed, or raise as `admit` does. A request comes in once: whoever asks
    again is told the same."""
    state = scope["state"]
    outcome: Caller | Exception | None = state.get(_OUTCOME)
    if outcome is None:
        try:
            outcome = await _entered(scope, within, needed)
        except (HttpError, DeadwaxError) as refusal:
            outcome = refusal
        state[_OUTCOME] = outcome
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _entered(scope: Scope, within: Services, needed: str) -> Caller:
    key = presented_key(scope)
    if key is None:
        raise NotAuthenticated
    grant = await within.gate.check(digest(key)) if _KEY.fullmatch(key) else None
    if grant is None:
        raise InvalidToken
    actor = ids.familiar_uid(ids.API_KEY, grant.key_id.int)
    caller = Caller(grant.key_id, actor, grant.organization, grant.revision, grant.product_count, grant.scopes)
    scope["auth"] = caller
    await within.limits.spend(grant.key_id)
    if needed not in grant.scopes:
        raise PermissionDenied
    within.uses.add(grant.key_id)
    return caller

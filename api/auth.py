"""Who asks: every handler under /api/v1 has `guards=[admit]` and says which scope it takes."""

import re
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from api.errors import InvalidToken, NotAuthenticated, PermissionDenied
from api.requests import Caller
from api.services import Services
from commands.organization import digest
from domain import ids

_BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)
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


async def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let the request in as its key's Caller, or raise why not: 401, 403, 429."""
    key = presented_key(connection.scope)
    if key is None:
        raise NotAuthenticated
    services: Services = connection.app.state.services
    grant = await services.gate.check(digest(key)) if _KEY.fullmatch(key) else None
    if grant is None:
        raise InvalidToken
    connection.scope["auth"] = Caller(
        grant.key_id, ids.uid(ids.API_KEY, grant.key_id), grant.organization, grant.revision, grant.product_count
    )
    await services.limits.spend(grant.key_id)
    if handler.opt["scope"] not in grant.scopes:
        raise PermissionDenied
    services.uses.add(grant.key_id)

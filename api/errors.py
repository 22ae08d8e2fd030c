"""The one place where errors become HTTP. Everything that is refused is refused in one shape, with no traces in it.

HttpError                 what HTTP itself can get wrong, whatever it is about
├── NotAuthenticated      401
├── InvalidToken          401
├── PermissionDenied      403
├── InvalidPage           404
├── InvalidCursor         404
├── BodyTimeout           408
├── BadSignature          412
├── BodyTooLarge          413
├── UnsupportedMediaType  415
├── Throttled             429
├── BadGateway            502
└── BadRequest            400  (malformed JSON, query or header)
"""

from collections.abc import Mapping
from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from api.answers import encode
from commands.logs import described
from domain.errors import (
    Busy,
    Conflict,
    DeadwaxError,
    IdempotencyMismatch,
    Invalid,
    NotFound,
    StaleWrite,
    Taken,
    Unavailable,
)
from domain.purchase.errors import BuyerGone, Revoked

AnyRequest = Request[Any, Any, Any]
RETRY_AFTER_SECONDS = 5
_log = structlog.get_logger("api")


class HttpError(Exception):
    """Base of all; the class docstring is the default message."""

    status = 400

    def __init__(self, message: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n")[0])
        self.headers: Mapping[str, str] = headers or {}


class BadRequest(HttpError):
    """Bad request."""


class NotAuthenticated(HttpError):
    """Authentication credentials were not provided."""

    status = 401

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class InvalidToken(NotAuthenticated):
    """Invalid token."""


class PermissionDenied(HttpError):
    """You do not have permission to perform this action."""

    status = 403


class InvalidPage(HttpError):
    """Invalid page."""

    status = 404


class InvalidCursor(HttpError):
    """Invalid cursor."""

    status = 404


class BodyTimeout(HttpError):
    """The request body did not arrive in time."""

    status = 408


class BadSignature(HttpError):
    """It is not signed by whom it says it is from."""

    status = 412


class BodyTooLarge(HttpError):
    """The request body is too large."""

    status = 413


class UnsupportedMediaType(HttpError):
    """Unsupported media type in request."""

    status = 415


class Throttled(HttpError):
    """Request was throttled."""

    status = 429

    def __init__(self, wait_seconds: int) -> None:
        message = f"Request was throttled. Expected available in {wait_seconds} seconds."
        super().__init__(message, {"Retry-After": str(wait_seconds)})


class BadGateway(HttpError):
    """The marketplace did not answer as it should."""

    status = 502


_DOMAIN: Mapping[type[DeadwaxError], int] = {
    NotFound: 404,
    Taken: 409,
    Conflict: 409,
    StaleWrite: 412,
    IdempotencyMismatch: 422,
    Revoked: 400,
    BuyerGone: 400,
    Busy: 503,
    Unavailable: 503,
}
_HTTP = {404: "Not found.", 413: "The request body is too large."}


def answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    return Response(encode(content), status_code=status, headers=headers, media_type=MediaType.JSON)


def _http(_: AnyRequest, error: HttpError) -> Response[bytes]:
    return answer(error.status, {"detail": str(error)}, error.headers)


def _domain(request: AnyRequest, error: DeadwaxError) -> Response[bytes]:
    if isinstance(error, Invalid):
        return answer(400, error.errors)
    status = next((_DOMAIN[kind] for kind in type(error).__mro__ if kind in _DOMAIN), None)
    if status is None:
        return _unexpected(request, error)
    headers = {"Retry-After": str(1 if isinstance(error, Busy) else RETRY_AFTER_SECONDS)} if status == 503 else None
    return answer(status, {"detail": str(error)}, headers)


def _framework(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """What the router refuses: unknown paths, methods a path does not have, hosts that are none."""
    match error.status_code:
        case 405:
            return answer(405, {"detail": f'Method "{request.method}" not allowed.'}, error.headers)
        case status if status < 500:
            return answer(status, {"detail": _HTTP.get(status, "Bad request.")})
    return _unexpected(request, error)


def _unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
    _log.error("unexpected error", request_id=request.scope["state"].get("request_id"), **described(error))
    return answer(500, {"detail": "Internal server error."})


HANDLERS: ExceptionHandlersMap = {
    HttpError: _http,
    DeadwaxError: _domain,
    HTTPException: _framework,
    Exception: _unexpected,
}

"""What a download link gives access to, and what is said where it does not: one place for all that it leads to."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from litestar import MediaType, Request, Response
from litestar.types import ExceptionHandlersMap, Scope

from api import download_page as pages
from api.answers import Answer, Header, encode
from api.download_page import Refusal, policy
from api.errors import RETRY_AFTER_SECONDS
from api.requests import ApiRequest, header
from api.services import services
from commands.tokens import digest_of
from domain.errors import Busy, Unavailable
from domain.purchase.downloads import WINDOW
from domain.purchase.purchase import Purchase
from projections import download
from projections.download import Shop
from projections.purchase import by_token
from projections.purchase_document import DOWNLOAD_PATH

_JSON = "application/json"
# On every answer: the link is a secret that no search engine, other site or cache is to have.
PRIVATE: tuple[Header, ...] = (
    (b"x-robots-tag", b"noindex"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"vary", b"accept"),
)
_EARLY = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
_EARLY_HEADERS = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
_AGENT_CHARACTERS = 500
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Refused(Exception):
    """The buyer gets to see why instead."""

    def __init__(self, refusal: Refusal, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal
        self.headers = headers or {}


class Access(NamedTuple):
    """A purchase that is neither revoked nor expired, and whoever is there with its link.

    `url` is the page's. `begun` are the downloads that this address has begun `since` and may go on with, by asset.
    """

    purchase: Purchase
    shop: Shop
    url: str
    ip: str
    user_agent: str | None
    since: datetime
    begun: Mapping[UUID, UUID]

    @property
    def remaining(self) -> int | None:
        """Downloads that are left; None where there is no limit."""
        most = self.purchase.max_downloads
        return None if most is None else max(most - self.purchase.download_count, 0)

    def refuse_beyond(self, wanted: int) -> None:
        """Raise Refused where fewer than so many downloads are left."""
        remaining, most = self.remaining, self.purchase.max_downloads
        if remaining is None or most is None or wanted <= remaining:
            return
        if remaining:
            raise Refused(pages.too_few(self.shop.name, remaining, self.url))
        raise Refused(pages.used_up(self.shop.name, most))


async def accessed(request: ApiRequest) -> Access:
    """Return what the link in the path gives access to. Raises Refused.

    A token that was never given costs the same look-up as one that was, whatever it looks like.
    """
    within, token = services(request), request.scope["path_params"]["token"]
    purchase = await by_token(within.reader, digest_of(token))
    if purchase is None:
        raise Refused(pages.UNKNOWN)
    shop = await download.shop(within.reader, purchase.organization, purchase.product)
    now = datetime.now(UTC)
    if purchase.is_revoked:
        raise Refused(pages.revoked(shop.name))
    if purchase.expires_at is not None and purchase.expires_at <= now:
        raise Refused(pages.expired(shop.name, purchase.expires_at))
    ip = within.addresses.client(request.scope) or "unknown"
    since = now - WINDOW
    begun = await download.begun(within.reader, purchase.id, ip, since)
    url = f"{within.addresses.base_url(request.scope)}{DOWNLOAD_PATH}/{token}/"
    return Access(purchase, shop, url, ip, _user_agent(request.scope), since, begun)


def early(request: ApiRequest) -> Answer | None:
    """Return the answer to a request that a browser makes before anybody asked it to; None for any other."""
    said = (header(request.scope, name) for name in _EARLY_HEADERS)
    if any(text is not None and _EARLY.search(text) for text in said):
        return Answer(b"", 403, PRIVATE, b"text/plain; charset=utf-8")
    return None


def wants_json(scope: Scope) -> bool:
    """Say whether the client asks for JSON by name and for HTML, if at all, no more than that."""
    weights = {}
    for piece in (header(scope, b"accept") or "").split(","):
        media_type, *parameters = (part.strip().lower() for part in piece.split(";"))
        weights[media_type] = next((_weight(text[2:]) for text in parameters if text.startswith("q=")), 1.0)
    return 0 < weights.get(_JSON, 0.0) >= weights.get("text/html", 0.0)


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _user_agent(scope: Scope) -> str | None:
    given = header(scope, b"user-agent")
    return _NOT_TEXT.sub("", given)[:_AGENT_CHARACTERS] or None if given else None


def _refused(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    refusal, headers = error.refusal, {name.decode(): value.decode() for name, value in (*PRIVATE, policy())}
    is_json = wants_json(request.scope)
    body = encode({"detail": refusal.detail}) if is_json else pages.show_refusal(refusal)
    media_type = _JSON if is_json else MediaType.HTML
    return Response(body, status_code=refusal.status, headers={**headers, **error.headers}, media_type=media_type)


def _trouble(request: Request[Any, Any, Any], _: Unavailable | Busy) -> Response[bytes]:
    return _refused(request, Refused(pages.TROUBLE, {"Retry-After": str(RETRY_AFTER_SECONDS)}))


REFUSALS: ExceptionHandlersMap = {Refused: _refused, Unavailable: _trouble, Busy: _trouble}

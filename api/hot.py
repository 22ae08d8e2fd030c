"""Hot pages are answered before they are routed: routing, requests and handlers cost more than the rest together.

What was answered once, by a handler, with a page that is kept, is known by its address. The next time the same is
checked, by the same functions and in the same order, and the same bytes are sent. Everything else goes on to its
handler, refusals too; it finds what was checked here done.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.datastructures import State
from litestar.types import ASGIApp, Receive, Scope, Send

from api.answers import Answer
from api.auth import enter
from api.conditional import unless_known
from api.page_cache import Page
from api.requests import ApiRequest, header
from api.services import Services, services

_ADDRESS = "address"
_HOT = "/api/v1/products"
_SCOPE = "read"


class Hot:
    """Wraps the ASGI app that routes. `state` holds the services once the app is up."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "GET" and scope["path"].startswith(_HOT):
            try:
                answer = await self._answer(scope, self._state.services)
            except Exception:  # noqa: BLE001 - met again where errors become answers
                answer = None
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _answer(self, scope: Any, within: Services) -> Answer | None:
        address = scope["state"][_ADDRESS] = _address(scope, within)
        route = within.pages.route(address)
        if route is None:
            return None
        caller = await enter(scope, within, _SCOPE)
        page = within.pages.kept((address, caller.organization.int), caller.revision)
        if page is None:
            return None
        scope["path_template"], scope["path_params"] = route
        return unless_known(scope, page.body, page.tag)


def _address(scope: Any, within: Services) -> tuple[Any, ...]:
    # The host too, where it is not in the URL: whether it is one is for the framework to say.
    return (header(scope, b"host"), within.addresses.base_url(scope), scope["path"], scope["query_string"])


async def hot_page(request: ApiRequest, make: Callable[[], Awaitable[Page]]) -> Page:
    """Return the page that `make` gives, or the one that is kept as of the caller's revision; the next request for it
    is answered without its handler. Raises what `make` raises."""
    scope, caller, pages = request.scope, request.auth, services(request).pages
    # As it was before routing took its last slash; a path that routing alone knows as one of these has none.
    address = scope["state"].get(_ADDRESS) or _address(scope, services(request))
    page = await pages.page((address, caller.organization.int), caller.revision, make)
    pages.note_route(address, (scope["path_template"], scope["path_params"]))
    return page

"""Hot pages of this process, kept as finished bytes; never one that a write has made old."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, NamedTuple

from projections.flights import Flights

_ROUTES = 10_000
_ENTRY_BYTES = 600
"""What an entry takes beside its body: key, tuple, headers of objects; measured, rounded up."""


class Page(NamedTuple):
    """An answer's body and its entity tag."""

    body: bytes
    tag: str


Route = tuple[str, dict[str, Any]]
"""A path's template and what the path says in it."""


class _Kept(NamedTuple):
    revision: int
    page: Page


class PageCache:
    """Pages by question, each as of its organization's revision, at most `limit_bytes` of them (0: none is kept).

    Every request learns its organization's revision from the database before it looks here, and every write moves the
    revision in its own transaction. A body that was read after some revision was seen, and before it is seen again,
    is therefore what the tables hold. Who asks the same at once shares one answer, kept or not.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.size_bytes = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._routes: OrderedDict[Hashable, Route] = OrderedDict()
        self._flights = Flights()

    def note_route(self, address: Hashable, route: Route) -> None:
        """Note where an address leads that pages are kept of."""
        if self._limit_bytes and address not in self._routes:
            self._routes[address] = route
            if len(self._routes) > _ROUTES:
                self._routes.popitem(last=False)

    def route(self, address: Hashable) -> Route | None:
        return self._routes.get(address)

    def kept(self, question: Hashable, revision: int) -> Page | None:
        """Return the page that is kept as of exactly this revision."""
        kept = self._kept.get(question)
        if kept is None or kept.revision != revision:
            return None
        self._kept.move_to_end(question)
        return kept.page

    async def page(self, question: Hashable, revision: int, make: Callable[[], Awaitable[Page]]) -> Page:
        """Return the answer as of `revision` or later. Raises what `make` raises; a refusal is not kept."""
        if (kept := self.kept(question, revision)) is not None:
            return kept

        async def fresh() -> Page:
            page = await make()
            if self._limit_bytes:
                self._keep(question, _Kept(revision, page))
            return page

        page: Page = await self._flights.ask((question, revision), fresh)
        return page

    def _keep(self, question: Hashable, kept: _Kept) -> None:
        size_bytes = len(kept.page.body) + _ENTRY_BYTES
        before = self._kept.pop(question, None)
        if before is not None:
            self.size_bytes -= len(before.page.body) + _ENTRY_BYTES
        if size_bytes > self._limit_bytes // 4:
            return
        self._kept[question] = kept
        self.size_bytes += size_bytes
        while self.size_bytes > self._limit_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size_bytes -= len(oldest.page.body) + _ENTRY_BYTES

"""Hot pages of this process, kept as finished bytes; never one that a write has made old."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

from projections.flights import Flights

_ENTRY_BYTES = 600
"""What an entry takes beside its body: key, tuple, headers of objects; measured, rounded up."""


class Page(NamedTuple):
    """An answer's body and its entity tag."""

    body: bytes
    tag: str


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
        self._flights = Flights()

    async def page(self, question: Hashable, revision: int, make: Callable[[], Awaitable[Page]]) -> Page:
        """Return the answer as of `revision` or later. Raises what `make` raises; a refusal is not kept."""
        kept = self._kept.get(question)
        if kept is not None and kept.revision == revision:
            self._kept.move_to_end(question)
            return kept.page

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

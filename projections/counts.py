"""How many rows a list has, kept until its organization's revision moves on.

A page, the next one and the same in another order ask for one count, which costs more than all of them: it looks at
every row that matches.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import NamedTuple

LIMIT = 10_000


class _Kept(NamedTuple):
    revision: int
    total: int


class Counts:
    """The counts asked for last, each as of its organization's revision, at most `limit` of them.

    Every write moves the revision in its own transaction, and every request reads it from the database before it looks
    here: a count at an equal revision is what the tables hold.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    async def count(self, question: Hashable, revision: int, make: Callable[[], Awaitable[int]]) -> int:
        """Return the count as of `revision` or later. `question` names the organization too."""
        kept = self._kept.get(question)
        if kept is None or kept.revision != revision:
            kept = self._kept[question] = _Kept(revision, await make())
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        self._kept.move_to_end(question)
        return kept.total

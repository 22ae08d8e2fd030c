"""What was done with connections: noted by workers, read by their owners, kept for some time and counted for good."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Raw, Struct

from domain import ids
from domain.connection.activity import Activity, columns
from projections.base import Reader, queries
from projections.documents import encode
from projections.numbered import NumberedPage
from projections.worker import WorkerConnection

_SQL = queries("activity")
_COLUMNS = ("connections", "actions", "outcomes", "presences", "products", "messages", "changes")
_FORGOTTEN_AT_ONCE = 10_000
_NO_CHANGES = Raw(b"{}")


class ActivityDocument(Struct, frozen=True, kw_only=True):
    """One entry. `presence` is the id that the API calls a presence by; `changes` are fields, each from old to new."""

    id: int
    at: datetime
    action: str
    outcome: str
    message: str
    presence: int | None
    product: str | None
    changes: Raw


class ActivityQuery(Struct, frozen=True, kw_only=True):
    """Which entries of a connection. None and () ask nothing; `since` is inclusive, `until` is not; `page` is None for
    the last."""

    actions: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    presence: int | None = None
    product: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    page: int | None = 1
    page_size: int = 50


class ActivityTally(NamedTuple):
    """How many entries of a kind there ever were."""

    platform: str
    action: str
    outcome: str
    entries: int


class ActivityLog(WorkerConnection):
    """The entries as workers make and forget them."""

    def note(self, organization: UUID, at: datetime, entries: Sequence[Activity]) -> None:
        """Note the entries in their order; of connections that are gone nothing is noted."""
        if entries:
            given = dict(zip(_COLUMNS, columns(entries), strict=True))
            self.rows(_SQL["note"], {"organization": organization, "at": at, **given})

    def forget(self, days: int) -> None:
        """Forget what is older, and add up what processes counted that ended."""
        while len(self.rows(_SQL["forget"], {"days": days, "limit": _FORGOTTEN_AT_ONCE})) == _FORGOTTEN_AT_ONCE:
            pass
        self.rows(_SQL["gather"], {})


async def page(reader: Reader, connection: UUID, asked: ActivityQuery) -> NumberedPage | None:
    """Return a page of a connection's entries, newest first; None past the end (page 1 always is). Whoever asks may see
    the connection."""
    conditions: dict[str, Any] = {
        "connection = %b": connection,
        "action = ANY(%b::text[])": list(asked.actions) or None,
        "outcome = ANY(%b::text[])": list(asked.outcomes) or None,
        "number = %b::bigint": asked.presence,
        "product = %b": asked.product,
        "at >= %b": asked.since,
        "at < %b": asked.until,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    where, values = f"FROM activity WHERE {' AND '.join(given)}", [*given.values()]
    # Plans that are kept would not know which of the filters leaves few rows.
    [total] = await reader.row(f"SELECT count(*) {where}".encode(), values, keep=False) or (0,)
    last = max(1, -(-total // asked.page_size))
    number = last if asked.page is None else asked.page
    if number > last:
        return None
    shown = (
        f"SELECT id, at, action, outcome, message, number, product, changes {where}"
        f" ORDER BY at DESC, id DESC LIMIT {asked.page_size} OFFSET {(number - 1) * asked.page_size}"
    )
    rows = await reader.rows(shown.encode(), values, keep=False)
    return NumberedPage(total, number, ",".join(map(_document, rows)))


def _document(row: Sequence[Any]) -> str:
    id, at, action, outcome, message, presence, product, changes = row
    return encode(
        ActivityDocument(
            id=id,
            at=at,
            action=action,
            outcome=outcome,
            message=message,
            presence=presence,
            product=None if product is None else ids.uid(ids.PRODUCT, product),
            changes=_NO_CHANGES if changes is None else Raw(changes.encode()),
        )
    ).decode()


async def tallies(reader: Reader) -> list[ActivityTally]:
    return [ActivityTally(*row) for row in await reader.rows(_SQL["tallies"])]

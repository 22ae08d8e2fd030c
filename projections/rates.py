"""Exchange rates as workers keep them and the API shows them, and the prices that were computed from them."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from domain.event import Change, Projected, Step
from domain.presence.presence import Presence
from domain.rates import DayRates
from projections.base import Reader, queries
from projections.worker import WorkerConnection

_SQL = queries("rates")


COLUMNS = ("presence", "organization", "product", "currency", "day")


def conversion_row(presence: Presence) -> tuple[Any, ...]:
    """Return the values of COLUMNS for a presence whose price in USD is computed."""
    day = None if presence.listing_price_usd is None else presence.usd_rate_date
    return (presence.id, presence.organization, presence.product, presence.listing_currency, day)


class ConversionsProjection:
    """Keeps `conversion`: the presences whose price in USD is computed."""

    def project(self, changes: Sequence[Change]) -> Projected:
        followed: list[Presence] = []
        gone: list[UUID] = []
        for change in changes:
            before, after = change.before, change.after
            if not change.events or not isinstance(after or before, Presence):
                continue
            if after is not None and after.prices.follows_rate:
                followed.append(after)
            elif before is not None and before.prices.follows_rate:
                gone.append(change.id)
        steps = []
        if followed:
            rows = sorted(map(conversion_row, followed), key=itemgetter(0))
            columns = [list(column) for column in zip(*rows, strict=True)]
            steps.append(Step("put_conversions(%b, %b, %b, %b::text[], %b::date[])", columns))
        if gone:
            steps.append(Step("drop_conversions(%b)", (sorted(gone),)))
        return Projected(steps, {})


class Due(NamedTuple):
    """A presence whose price in USD is to be computed anew."""

    presence: UUID
    organization: UUID
    product: UUID


class Rates(WorkerConnection):
    """The rates as workers keep them."""

    def is_due(self, seconds: float) -> bool:
        """Say whether the last fetch that succeeded is so long ago."""
        return bool(self.rows(_SQL["is_due"], {"seconds": seconds})[0][0])

    def keep(self, rates: DayRates, source: str) -> None:
        per_euro = [*rates.per_euro.values()]
        values = {"day": rates.day, "currencies": [*rates.per_euro], "per_euro": per_euro, "source": source}
        self.rows(_SQL["keep"], values)

    def failed(self, error: str) -> None:
        """Say why an attempt failed. `error` is our own words."""
        self.rows(_SQL["failed"], {"error": error})

    def due(self, oldest: date, after: UUID, limit: int) -> list[Due]:
        """Return presences to be computed anew where rates before `oldest` are too old, in the order of their ids."""
        return [Due(*row) for row in self.rows(_SQL["due"], {"oldest": oldest, "after": after, "limit": limit})]


class Standing(NamedTuple):
    """Where the newest rates came from and when; `error` says why the last attempt failed, None where it did not.

    All None before the first fetch.
    """

    source: str | None
    fetched: datetime | None
    error: str | None
    day: date | None


async def standing(reader: Reader) -> Standing:
    row = await reader.row(_SQL["standing"])
    assert row is not None
    return Standing(*row)


async def newest(reader: Reader) -> list[tuple[str, date, Decimal]]:
    """Return each currency with its newest rate in units for one euro, by code."""
    return [(code, day, per_euro) for code, day, per_euro in await reader.rows(_SQL["newest"])]

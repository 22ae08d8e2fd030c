"""/api/v1/exchange-rates/: the reference rates that prices are told in USD by, and whether they are too old for it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from litestar import get
from msgspec import Struct

from api.answers import Answer, encode
from api.auth import admit
from api.conditional import tagged
from api.openapi import rates as declared
from api.requests import ApiRequest
from api.services import services
from domain.rates import EURO
from projections.rates import newest, standing

PATH = "/api/v1/exchange-rates"


class ExchangeRate(Struct, frozen=True, kw_only=True):
    """`per_base` is how much of the currency one unit of the base is."""

    currency: str
    per_base: str
    date: date
    is_stale: bool


class ExchangeRates(Struct, frozen=True, kw_only=True):
    """`date` is the newest day; `is_stale` says that it is too old, or that there is none."""

    base: str
    date: date | None
    is_stale: bool
    max_age_days: int
    source: str | None
    fetched_at: datetime | None
    error: str | None
    rates: Sequence[ExchangeRate]


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_rates(request: ApiRequest) -> Answer:
    within = services(request)
    today, max_age_days = datetime.now(UTC).date(), within.settings.rate_max_age_days
    kept = await standing(within.reader)

    def is_stale(day: date | None) -> bool:
        return day is None or (today - day).days > max_age_days

    rates = [
        ExchangeRate(currency=code, per_base=f"{per_euro:f}", date=day, is_stale=is_stale(day))
        for code, day, per_euro in await newest(within.reader)
    ]
    shown = ExchangeRates(
        base=EURO,
        date=kept.day,
        is_stale=is_stale(kept.day),
        max_age_days=max_age_days,
        source=kept.source,
        fetched_at=kept.fetched,
        error=kept.error,
        rates=rates,
    )
    return tagged(request.scope, encode(shown))


HANDLERS: list[Any] = [list_rates]

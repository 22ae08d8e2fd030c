"""Exchange rates: reference rates of a day, as units of a currency for one euro, and what follows from them."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from msgspec import Struct

from domain.currencies import CURRENCIES, MINOR_UNITS
from domain.errors import DeadwaxError

EURO, USD = "EUR", "USD"
MAX_AGE_DAYS = 7
"""Longer than any run of days without rates: they are told on working days."""
MOST_PRICE = Decimal(10) ** 10
"""No price is as high."""
_CENT = Decimal("0.01")
_LEAST, _MOST = Decimal("1e-6"), Decimal("1e9")


class Implausible(DeadwaxError):
    """These are no exchange rates."""


class DayRates(Struct, frozen=True, kw_only=True):
    """The rates of one day; the euro is among them, at 1."""

    day: date
    per_euro: Mapping[str, Decimal]


class Rate(NamedTuple):
    """What a price in one currency is converted with: both currencies' units for one euro on `day`."""

    day: date
    per_euro: Decimal
    usd_per_euro: Decimal

    def in_usd(self, amount: Decimal) -> Decimal | None:
        """Return the amount in USD to the cent; None where that is no possible price."""
        converted = (amount * self.usd_per_euro / self.per_euro).quantize(_CENT, ROUND_HALF_EVEN)
        return converted if 0 < converted < MOST_PRICE else None


def usable(rate: Rate, today: date, max_age_days: int) -> bool:
    """Say whether a price may be told in this rate: an older one would be a wrong number."""
    return (today - rate.day).days <= max_age_days


def day_rates(day: date, per_euro: Mapping[str, Decimal], today: date) -> DayRates:
    """Return what a source said of a day, without currencies that ISO 4217 does not know.

    Raises Implausible for a day to come, for amounts that are none, and where the dollar is not among them.
    """
    known = {code: amount for code, amount in per_euro.items() if code in CURRENCIES}
    if USD not in known:
        raise Implausible("There is no rate of the US dollar among them.")
    # Where the day ends first it is a day further than here.
    if (day - today).days > 1:
        raise Implausible("They are of a day to come.")
    for code, amount in known.items():
        if not amount.is_finite() or not _LEAST <= amount <= _MOST:
            raise Implausible(f"The rate of {code} is none.")
    return DayRates(day=day, per_euro={**known, EURO: Decimal(1)})


def to_minor_unit(amount: Decimal, currency: str) -> Decimal:
    """Return the amount as its currency can be paid: 12.50 JPY does not exist."""
    return amount.quantize(Decimal(1).scaleb(-MINOR_UNITS.get(currency, 2)), ROUND_HALF_EVEN)

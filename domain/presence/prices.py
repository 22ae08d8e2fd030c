"""A presence's prices: one in the listing's currency, one in USD, and how each follows from the other."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from domain.rates import USD, Rate, usable

GIVEN, CONVERTED, STALE, UNKNOWN = "given", "converted", "stale", "unknown"


class Prices(NamedTuple):
    """`usd_rate_date` is the day of the rate that the price in USD was computed from; None where it was given. Without
    a price in USD it is the day of the newest rate there was, which was too old.
    """

    listing_price: Decimal | None
    listing_currency: str
    listing_price_usd: Decimal | None
    usd_rate_date: date | None = None

    @property
    def known(self) -> bool:
        return self.listing_price is not None or self.listing_price_usd is not None

    @property
    def usd_status(self) -> str | None:
        """Say where the price in USD comes from, or why there is none; None where there is no price at all."""
        if self.listing_price_usd is not None:
            return GIVEN if self.usd_rate_date is None else CONVERTED
        if self.listing_price is None:
            return None
        return UNKNOWN if self.usd_rate_date is None else STALE

    @property
    def follows_rate(self) -> bool:
        """Say whether the price in USD is computed, or would be if a rate were known."""
        return self.usd_status in {CONVERTED, STALE, UNKNOWN}


UNPRICED = Prices(None, USD, None)


class Rating(NamedTuple):
    """The newest rate of a currency, None where none is known, and what tells whether it is too old."""

    rate: Rate | None
    today: date
    max_age_days: int


def revised(prices: Prices, given: Mapping[str, Any], rating: Rating | None = None) -> Prices:
    """Return the prices after a client gave some of them by name. `rating` is that of the new currency.

    In USD both are one price: the one that is news counts; where both are, or neither is, listing_price. In another
    currency a price given in USD stands, unless it is a computed one that came back beside a new listing_price;
    without one it is computed.
    """
    now = prices._replace(**{name: given[name] for name in Prices._fields if name in given})
    if now == prices:
        return prices
    now = now._replace(usd_rate_date=None)
    if now.listing_currency == USD:
        price = _in_usd(prices, now)
        return now._replace(listing_price=price, listing_price_usd=price)
    in_usd = given.get("listing_price_usd")
    if in_usd is not None and not (prices.usd_status == CONVERTED and in_usd == prices.listing_price_usd):
        return now
    return converted(now, rating)


def converted(prices: Prices, rating: Rating | None) -> Prices:
    """Return them with the price in USD that the rate makes of the other one."""
    bare = prices._replace(listing_price_usd=None, usd_rate_date=None)
    if bare.listing_price is None or rating is None or rating.rate is None:
        return bare
    if not usable(rating.rate, rating.today, rating.max_age_days):
        return bare._replace(usd_rate_date=rating.rate.day)
    in_usd = rating.rate.in_usd(bare.listing_price)
    return bare if in_usd is None else bare._replace(listing_price_usd=in_usd, usd_rate_date=rating.rate.day)


def _in_usd(before: Prices, now: Prices) -> Decimal | None:
    is_new = now.listing_price != before.listing_price
    is_new_in_usd = now.listing_price_usd != before.listing_price_usd
    if is_new is not is_new_in_usd:
        return now.listing_price if is_new else now.listing_price_usd
    return now.listing_price if now.listing_price is not None else now.listing_price_usd

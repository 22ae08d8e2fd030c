"""The price that a marketplace is to be told."""

from decimal import Decimal
from typing import Literal

from domain.presence.prices import Rating
from domain.rates import MOST_PRICE, USD, to_minor_unit, usable

Basis = Literal["listing", "rule"]
"""`listing`: the price that was set at the presence. `rule`: the product's own price and the connection's markup."""

NO_PRICE = "There is no price to tell."
NO_RATE = "There is no exchange rate that is young enough."
NO_AMOUNT = "In its currency that is no possible price."
_PERCENT = Decimal(100)


def target(
    basis: Basis,
    currency: str,
    *,
    listing_price: Decimal | None,
    override_usd: Decimal | None,
    markup_percent: int,
    rating: Rating | None,
) -> tuple[Decimal | None, str | None]:
    """Return the price in the listing's currency and None, or None and why there is none, in our own words.

    `rating` is that of the currency, of no use for USD. What is set at the presence is told as it is.
    """
    if basis == "listing":
        return (None, NO_PRICE) if listing_price is None else _possible(to_minor_unit(listing_price, currency))
    if override_usd is None:
        return None, NO_PRICE
    in_usd = override_usd * (_PERCENT + markup_percent) / _PERCENT
    if currency == USD:
        return _possible(to_minor_unit(in_usd, USD))
    if rating is None or rating.rate is None or not usable(rating.rate, rating.today, rating.max_age_days):
        return None, NO_RATE
    return _possible(to_minor_unit(in_usd * rating.rate.per_euro / rating.rate.usd_per_euro, currency))


def _possible(price: Decimal) -> tuple[Decimal | None, str | None]:
    return (price, None) if 0 < price < MOST_PRICE else (None, NO_AMOUNT)

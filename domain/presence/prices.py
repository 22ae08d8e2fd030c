"""A presence's prices: one in the listing's currency, one in USD, and how each follows from the other."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

USD = "USD"
_CENT, _LIMIT = Decimal("0.01"), Decimal(10) ** 10


class Prices(NamedTuple):
    listing_price: Decimal | None
    listing_currency: str
    listing_price_usd: Decimal | None

    @property
    def known(self) -> bool:
        return self.listing_price is not None or self.listing_price_usd is not None


UNPRICED = Prices(None, USD, None)


def revised(prices: Prices, given: Mapping[str, Any], rate: Decimal | None = None) -> Prices:
    """Return the prices after a client gave some of them by name. `rate` is USD for one unit of the new currency.

    In USD both are one price: the one that is news counts; where both are, or neither is, listing_price. In another
    currency a price given in USD stands; without one it is computed from the rate, and is None while that is unknown.
    """
    now = prices._replace(**{name: given[name] for name in Prices._fields if name in given})
    if now == prices:
        return prices
    if now.listing_currency == USD:
        price = _in_usd(prices, now)
        return now._replace(listing_price=price, listing_price_usd=price)
    if given.get("listing_price_usd") is not None:
        return now
    return now._replace(listing_price_usd=converted(now.listing_price, rate))


def _in_usd(before: Prices, now: Prices) -> Decimal | None:
    is_new = now.listing_price != before.listing_price
    is_new_in_usd = now.listing_price_usd != before.listing_price_usd
    if is_new is not is_new_in_usd:
        return now.listing_price if is_new else now.listing_price_usd
    return now.listing_price if now.listing_price is not None else now.listing_price_usd


def converted(price: Decimal | None, rate: Decimal | None) -> Decimal | None:
    """Return the price in USD to the cent; None where it or the rate is unknown, or where it is no possible price."""
    if price is None or rate is None:
        return None
    amount = (price * rate).quantize(_CENT)
    return amount if 0 < amount < _LIMIT else None

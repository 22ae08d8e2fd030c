"""What a marketplace says of a presence: decisions on what it shows, took, sold and ended."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.currencies import CURRENCIES
from domain.event import Stamp
from domain.presence.events import (
    PresenceDelisted,
    PresenceObserved,
    PresenceSold,
    PricePushed,
    SaleCancelled,
    SaleConflicted,
)
from domain.presence.listing import Sale, Seen
from domain.presence.presence import Presence
from domain.presence.prices import Prices, Rating, revised
from domain.rates import MOST_PRICE


def shown(prices: Prices, seen: Seen) -> Prices | None:
    """Return what the marketplace shows in the listing's currency, the price in USD aside; None where it shows none.

    What can be no price, like 0, is none; nor is one in a currency that there is not.
    """
    price, currency = seen.price, seen.currency or prices.listing_currency
    if price is None or not price.is_finite() or not 0 < price < MOST_PRICE or currency not in CURRENCIES:
        return None
    return prices._replace(listing_price=price, listing_currency=currency)


def is_news(status: str, prices: Prices, seen: Seen, *, adopts_price: bool) -> bool:
    """Say whether `seen` is other than what is known."""
    if seen.status != status:
        return True
    found = shown(prices, seen) if adopts_price else None
    return found is not None and found[:2] != prices[:2]


def observe(
    presence: Presence, seen: Seen, stamp: Stamp, rating: Rating | None = None, *, adopts_price: bool = True
) -> list[PresenceObserved]:
    """Take over what the marketplace shows; nothing where that is known. `rating` is that of the currency there.

    Without `adopts_price` the price here is newer than what it shows.
    """
    if not is_news(presence.status, presence.prices, seen, adopts_price=adopts_price):
        return []
    prices = presence.prices
    if adopts_price and (found := shown(prices, seen)) is not None:
        given = {"listing_price": found.listing_price, "listing_currency": found.listing_currency}
        prices = revised(prices, given, rating)
    return [
        PresenceObserved(
            **stamp.on(presence.id, presence.version + 1),
            status=seen.status,
            old_status=presence.status,
            old_listing_price=presence.listing_price,
            old_listing_currency=presence.listing_currency,
            **prices._asdict(),
        )
    ]


def push(presence: Presence, number: int, price: Decimal, stamp: Stamp, rating: Rating | None = None) -> PricePushed:
    """Note that the marketplace took the price, in the listing's currency."""
    prices = revised(presence.prices, {"listing_price": price}, rating)
    return PricePushed(
        **stamp.on(presence.id, presence.version + 1),
        push=number,
        old_listing_price=presence.listing_price,
        listing_price=price,
        listing_currency=prices.listing_currency,
        listing_price_usd=prices.listing_price_usd,
        usd_rate_date=prices.usd_rate_date,
    )


def sell(presence: Presence, sale: Sale, item: UUID | None, stamp: Stamp) -> PresenceSold:
    return PresenceSold(
        **stamp.on(presence.id, presence.version + 1),
        **_told(sale),
        item=item,
        old_status=presence.status,
    )


def conflict(
    presence: Presence, sale: Sale, item: UUID | None, first_order: str | None, stamp: Stamp
) -> SaleConflicted:
    return SaleConflicted(
        **stamp.on(presence.id, presence.version + 1),
        **_told(sale),
        item=item,
        first_order=first_order,
    )


def cancel(presence: Presence, sale: Sale, stamp: Stamp) -> SaleCancelled:
    return SaleCancelled(**stamp.on(presence.id, presence.version + 1), order=sale.order, order_line=sale.line)


def delist(presence: Presence, status: str, order: str | None, stamp: Stamp) -> list[PresenceDelisted]:
    """Note how it stands after we ended it; nothing where it is over already."""
    if presence.is_over or presence.status == status:
        return []
    return [
        PresenceDelisted(
            **stamp.on(presence.id, presence.version + 1), status=status, old_status=presence.status, order=order
        )
    ]


def _told(sale: Sale) -> dict[str, Any]:
    return {
        "order": sale.order,
        "order_line": sale.line,
        "sale_price": sale.price,
        "sale_currency": sale.currency,
        "sold_at": sale.sold,
    }

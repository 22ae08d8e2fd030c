"""Amounts as marketplaces write them: decimals with no more places than their currency has."""

from decimal import Decimal, InvalidOperation

from domain.currencies import CURRENCIES, MINOR_UNITS
from domain.errors import DeadwaxError
from workers.marketplaces.base import Permanent

MAX_COPIES = 1000
_TOO_MUCH = Decimal(10) ** 10


class Implausible(DeadwaxError):
    """The price that is shown cannot be one."""


def amount(value: str | Decimal, currency: str) -> Decimal:
    """Return an amount with as many places as its currency has. Raises Implausible."""
    try:
        found = Decimal(value)
        # What is no number compares with nothing.
        if currency not in CURRENCIES or not (found.is_finite() and 0 <= found < _TOO_MUCH):
            raise Implausible
        exact = found.quantize(_unit(currency))
    except InvalidOperation as error:
        raise Implausible from error
    if exact != found:
        raise Implausible
    return exact


def share(total: Decimal, copies: int) -> Decimal:
    """Return what one of so many copies cost, rounded to the places of `total`. Raises Implausible."""
    if not 1 <= copies <= MAX_COPIES:
        raise Implausible
    return (total / copies).quantize(total)


def to_send(price: Decimal, currency: str) -> Decimal:
    """Return a price as it may be sent. Raises Permanent for one that no listing has."""
    try:
        found = amount(price, currency)
    except Implausible as error:
        raise Permanent("This is no price in the listing's currency.") from error
    if not found:
        raise Permanent("A listing has a price above 0.")
    return found


def _unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-MINOR_UNITS.get(currency, 2))

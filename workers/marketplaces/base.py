"""What every connector has in common: what can go wrong, by what helps.

MarketplaceError
├── Transient      it may be right the next time
│   └── Limited    it was not asked, or too often
├── Reconnect      only other credentials help
└── Permanent      the same request will never be right
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Protocol

from msgspec import Meta

from domain.errors import DeadwaxError
from domain.presence.listing import Listing, Sale, Seen, Unseen

Moment = Annotated[datetime, Meta(tz=True)]
"""A time of a marketplace's: one that does not say where would compare with none of ours."""


class MarketplaceError(DeadwaxError):
    """The marketplace did not do what it was asked. The message is our own words."""


class Transient(MarketplaceError):
    """It may be right the next time. `after_seconds` is how long the marketplace wants to be left alone."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Limited(Transient):
    """A limit, theirs or ours, or a circuit breaker that is open: the request was not made, or is not to be repeated
    before `after_seconds`. `by` is the key of the limit, None for a breaker.
    """

    def __init__(self, message: str, after_seconds: float, by: str | None = None) -> None:
        super().__init__(message, after_seconds)
        self.by = by


class Reconnect(MarketplaceError):
    """The marketplace does not let us in with these credentials."""


class Permanent(MarketplaceError):
    """The marketplace will never do this."""


class Account(Protocol):
    """One seller's account, opened with its credentials. `at_once` is how many listings are best read at once."""

    at_once: int

    def verify(self) -> None:
        """Ask for something only the seller may ask for. Raises MarketplaceError."""
        ...

    def read(self, listings: Sequence[Listing]) -> Iterator[Seen | Unseen]:
        """Yield what each of them shows, in any order and as it comes; many at once where the API can.

        Raises Transient and Reconnect, which end the reading: what was yielded holds.
        """
        ...

    def set_price(self, listing: Listing, price: Decimal) -> Mapping[str, str] | None:
        """Set the price, in the listing's currency, and nothing else; return its reference as it is known now.

        To repeat it does no harm. Raises MarketplaceError, Permanent where the listing takes no price.
        """
        ...

    def end(self, listing: Listing) -> str:
        """End or pause it; return the status that it has now: ended or paused, or sold where that came first.

        To repeat it does no harm. Raises MarketplaceError.
        """
        ...

    def orders(self, since: datetime) -> Iterator[Sale]:
        """Yield the lines of orders that moved since then, oldest move first. Raises MarketplaceError."""
        ...


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a header asks to wait; None without a number there."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None

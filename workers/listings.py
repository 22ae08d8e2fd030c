"""A listing that is to become what we say: ended, or told a price."""

from typing import Any
from uuid import UUID

import structlog

from commands.listing import DropPush, NoteEnded, NotePushed
from domain.connection.activity import Action, Outcome
from domain.connection.connection import Connection
from domain.errors import NotFound
from domain.presence.prices import Rating
from domain.presence.pushing import NO_RATE, target
from domain.rates import USD
from projections.listing import Wanted
from workers.leases import Lease
from workers.marketplaces.base import Account, Limited, MarketplaceError, Permanent, Reconnect, Transient
from workers.runner import Again, Over, Overtaken, Postponed
from workers.sync import WAITS, Desk

RATE_SECONDS = 3600.0
"""So long a price waits for exchange rates before it looks again."""
URGENT_ATTEMPT = 3
"""What was sold elsewhere waits for its turn no longer than a third attempt does: five seconds."""
_log = structlog.get_logger("listings")


class ListingWork:
    """What is wanted of one listing: that it ends, else that it has a price."""

    def __init__(self, desk: Desk, id: UUID) -> None:
        self._desk = desk
        self._id = id

    def attempt(self, lease: Lease) -> Again | Over | None:
        """Raises Abandoned, Overtaken, Postponed, Unavailable, Busy."""
        line = self._desk.line
        wanted = line.wanted(self._id)
        connection = None if wanted is None else self._desk.connection(wanted.connection)
        if wanted is None or connection is None:
            # What is out of reach is owed again with its connection.
            return Over()
        with self._desk.turns.taken(connection.platform_uid, connection.id, "listing") as is_taken:
            return _Errand(self._desk, connection, wanted, lease).run(line.error(self._id), is_taken=is_taken)


class _Errand:
    def __init__(self, desk: Desk, connection: Connection, wanted: Wanted, lease: Lease) -> None:
        self._desk = desk
        self._connection = connection
        self._wanted = wanted
        self._lease = lease
        self._action: Action = "push" if wanted.end is None else "end"
        self._about: dict[str, Any] = {
            "connection": connection.id,
            "presence": wanted.listing.presence,
            "product": wanted.listing.product,
        }

    def run(self, before: str | None, *, is_taken: bool) -> Again | Over | None:
        """`before` is why the last attempt came to nothing."""
        if not is_taken:
            return self._waits(before)
        try:
            account = self._desk.account(self._connection, self._lease)
            if self._action == "push":
                return self._push(account, before)
            self._end(account)
            return None
        except NotFound as error:
            # Deleted meanwhile.
            raise Overtaken from error
        except MarketplaceError as error:
            return self._ended(error, before)

    def _ended(self, error: MarketplaceError, before: str | None) -> Again | Over:
        reason = str(error)
        if isinstance(error, Reconnect):
            self._desk.refused(self._connection, self._action, reason)
            return Over()
        if isinstance(error, Limited):
            return self._waits(before, error.after_seconds)
        self._note("failed", reason, before)
        if isinstance(error, Transient):
            return self._desk.later(self._lease.attempt, reason, error.after_seconds)
        raise Postponed(reason) from error

    def _waits(self, before: str | None, after_seconds: float | None = None) -> Again:
        attempt = self._lease.attempt if self._action == "push" else min(self._lease.attempt, URGENT_ATTEMPT)
        return self._desk.in_turn(attempt, before or WAITS, after_seconds)

    def _end(self, account: Account) -> None:
        status = account.end(self._wanted.listing)
        self._execute(NoteEnded(**self._about, status=status))
        _log.info("ended", status=status)

    def _push(self, account: Account, before: str | None) -> Again | None:
        wanted, currency = self._wanted, self._wanted.listing.currency
        assert wanted.push_basis is not None, "something is wanted of it, and it is not to end"
        price, reason = target(
            wanted.push_basis,
            currency,
            listing_price=wanted.price,
            override_usd=wanted.override_usd,
            markup_percent=wanted.markup_percent,
            rating=None if currency == USD else self._rating(currency),
        )
        if reason == NO_RATE:
            self._note("skipped", reason, before)
            return Again(RATE_SECONDS, reason)
        if price is None:
            self._execute(DropPush(**self._about, number=wanted.push_number, reason=reason or ""))
            return None
        try:
            reference = account.set_price(wanted.listing, price)
        except Permanent as error:
            # It would be refused the next time too. The price that is there comes here with the next check.
            self._execute(DropPush(**self._about, number=wanted.push_number, reason=str(error), outcome="failed"))
            return None
        self._execute(
            NotePushed(**self._about, number=wanted.push_number, price=price, currency=currency, reference=reference)
        )
        _log.info("pushed", number=wanted.push_number)
        return None

    def _rating(self, currency: str) -> Rating:
        return self._desk.bus.work(self._desk.context(self._connection.organization)).rating(currency)

    def _execute(self, command: DropPush | NoteEnded | NotePushed) -> None:
        self._desk.bus.execute(command, self._desk.context(self._connection.organization))

    def _note(self, outcome: Outcome, reason: str, before: str | None) -> None:
        """Tell once why it is not done, until there is another reason."""
        if reason != before:
            about = (self._wanted.listing.presence, self._wanted.listing.product)
            self._desk.note(self._connection, self._action, outcome, reason, *about)

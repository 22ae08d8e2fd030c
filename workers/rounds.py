"""A connection's round: what was sold, and what its listings show, as often as its interval says."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from commands.listing import NoteChecked
from commands.sale import RecordSale
from domain.connection.activity import Action
from domain.connection.connection import Connection
from domain.errors import NotFound
from domain.presence.listing import Listing, Seen, Unseen
from domain.presence.presence import SOLD
from workers.leases import Lease
from workers.marketplaces.base import Account, Limited, MarketplaceError, Permanent, Reconnect, Transient
from workers.runner import Again, Over
from workers.sync import Desk

SAVED_AT_ONCE = 100
"""So many checks are one command."""
OVERLAP = timedelta(minutes=2)
"""Orders are asked for from so long before the last one on: a marketplace may show them late."""
GATHERED = 0.01
"""What is due within such a part of an interval is looked at together."""
BUSY_SECONDS = 2.0
RECOVERED = "It answers again."


class RoundWork:
    """One round of a connection that lets us in. It never fails for good: what it waits for may take days."""

    def __init__(self, desk: Desk, id: UUID) -> None:
        self._desk = desk
        self._id = id

    def attempt(self, lease: Lease) -> Again | Over:
        """Raises Abandoned, Unavailable, Busy."""
        line = self._desk.line
        found = line.round(self._id)
        connection = None if found is None else self._desk.connection(found.connection)
        if connection is None:
            return Over()
        with self._desk.turns.taken(connection.platform_uid, connection.id, "round") as is_taken:
            if not is_taken:
                return Again(BUSY_SECONDS)
            try:
                return _Round(self._desk, connection, lease).run(line.error(self._id))
            except NotFound:
                # Deleted while it was asked.
                return Over()


class _Round:
    def __init__(self, desk: Desk, connection: Connection, lease: Lease) -> None:
        self._desk = desk
        self._connection = connection
        self._line = desk.line
        self._lease = lease
        self._every = timedelta(minutes=connection.interval_minutes)
        self._doing: Action = "orders"

    def run(self, before: str | None) -> Again | Over:
        """`before` is why the last one came to nothing."""
        try:
            account = self._desk.account(self._connection, self._lease)
            refusal = self._read_orders(account) if self._are_orders_due() else None
            self._doing = "check"
            if self._check(account):
                self._doing = "orders"
                refusal = self._read_orders(account)
            if refusal is not None:
                self._doing = "orders"
                raise refusal
        except MarketplaceError as error:
            return self._ended(error, before)
        if before is not None:
            self._desk.note(self._connection, self._doing, "done", RECOVERED)
        return Again(self._seconds_until_due())

    def _ended(self, error: MarketplaceError, before: str | None) -> Again | Over:
        """A failure is told once, until there is another one."""
        reason = str(error)
        if isinstance(error, Reconnect):
            self._desk.refused(self._connection, self._doing, reason)
            return Over()
        after_seconds = error.after_seconds if isinstance(error, Transient) else None
        if isinstance(error, Limited):
            # Nobody's fault: what failed before it is still what is wrong.
            return Again((after_seconds or 0.0) + self._desk.jitter(), before)
        if reason != before:
            self._desk.note(self._connection, self._doing, "failed", reason)
        return self._desk.later(self._lease.attempt, reason, after_seconds)

    def _are_orders_due(self) -> bool:
        """Say whether an interval has gone by, or somebody hinted at a sale."""
        orders = self._line.orders(self._connection.id)
        return orders is not None and (orders.checked is None or orders.checked + self._every <= self._desk.clock())

    def _read_orders(self, account: Account) -> Permanent | None:
        """Record what was sold since the last time. Return why it is not shown; the listings may be all the same."""
        orders, now = self._line.orders(self._connection.id), self._desk.clock()
        if orders is None:
            return None
        try:
            for sale in account.orders(orders.since - OVERLAP):
                self._lease.check()
                command = RecordSale(connection=self._connection.id, sale=sale)
                self._desk.bus.execute(command, self._desk.context(self._connection.organization))
        except Permanent as error:
            return error
        self._line.orders_checked(self._connection.id, now, orders.hints)
        return None

    def _check(self, account: Account) -> bool:
        """Take over what the listings show that are due; of a marketplace that shows many at once also those that soon
        will be. Return whether one of them was sold: its order says with what.
        """
        now = self._desk.clock()
        if not self._line.due(self._connection.id, now, 1):
            return False
        soon = self._every / 2 if account.at_once > SAVED_AT_ONCE else timedelta(0)
        asked = self._line.due(self._connection.id, now + soon, account.at_once)
        found: list[Seen | Unseen] = []
        is_one_sold = False
        try:
            for one in account.read(asked):
                found.append(one)
                is_one_sold |= isinstance(one, Seen) and one.status == SOLD
                if len(found) == SAVED_AT_ONCE:
                    self._save(asked, found)
                    found = []
        except MarketplaceError:
            # What was shown before that holds.
            self._save(asked, found)
            raise
        self._save(asked, found)
        return is_one_sold

    def _save(self, asked: Sequence[Listing], found: Sequence[Seen | Unseen]) -> None:
        if not found:
            return
        self._lease.check()
        ids = {one.presence for one in found}
        command = NoteChecked(
            connection=self._connection.id,
            listings=[listing for listing in asked if listing.presence in ids],
            seen=[one for one in found if isinstance(one, Seen)],
            failed=[one for one in found if isinstance(one, Unseen)],
        )
        self._desk.bus.execute(command, self._desk.context(self._connection.organization))

    def _seconds_until_due(self) -> float:
        now, orders = self._desk.clock(), self._line.orders(self._connection.id)
        asked = None if orders is None else orders.checked
        times = [now if asked is None else asked + self._every]
        if (next_due := self._line.next_due(self._connection.id)) is not None:
            times.append(next_due if next_due <= now else max(next_due, now + self._every * GATHERED))
        return max(0.0, (min(times) - now).total_seconds())

"""What rounds and listings share: what they are done with, and what becomes of them where a marketplace fails."""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import structlog

from commands.bus import Bus
from commands.connection import NoteRefused
from commands.settings import Settings
from commands.vault import Unsealable
from commands.work import Context
from domain.connection.activity import Action, Activity, Outcome
from domain.connection.connection import Connection, fold
from domain.errors import NotFound
from domain.task.task import backoff_seconds
from projections.activity import ActivityLog
from projections.credential import Credentials
from projections.listing import Listings
from projections.todo import Todo
from workers.leases import Lease
from workers.marketplaces.base import Account, Reconnect
from workers.marketplaces.registry import Marketplaces
from workers.runner import Again
from workers.turns import Turns

WAITS = "It waits for its turn."
FIRST_TURN_SECONDS = 2.0
TURN_GROWTH = 1.6
MOST_TURN_SECONDS = 300.0
_log = structlog.get_logger("sync")


class Line(Listings, Todo, Credentials, ActivityLog):
    """All that sync work asks the database beside the log, on one connection."""


class Desk:
    """What sync work is done with; all threads of a process share it. `jitter` is from 0 to 1."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        marketplaces: Marketplaces,
        turns: Turns,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.bus = bus
        self.turns = turns
        self.clock = clock
        self.jitter = jitter
        self._database_url = settings.database_url
        self._marketplaces = marketplaces
        self._own = threading.local()

    @property
    def line(self) -> Line:
        """This thread's."""
        if not hasattr(self._own, "line"):
            self._own.line = Line(self._database_url)
        line: Line = self._own.line
        return line

    def connection(self, id: UUID) -> Connection | None:
        """Return a connection as it stands; None where it lets us do nothing."""
        state = self.bus.store.load(id, fold)
        return state if state is not None and state.is_usable else None

    def account(self, connection: Connection, lease: Lease) -> Account:
        """Return the account, which asks the lease before each request. Raises what accounts do, Reconnect too where
        what opens it cannot be read.
        """
        try:
            return self._marketplaces.account(connection.id, connection.platform_uid, self.line, lease.check)
        except Unsealable as error:
            raise Reconnect(str(error)) from error

    def context(self, organization: UUID) -> Context:
        return Context(organization, "system", f"sync-{uuid4()}")

    def later(self, attempt: int, reason: str, after_seconds: float | None = None) -> Again:
        """Return when work that waits is due again: the later the more attempts there were, and no sooner than the
        marketplace wishes. What waits together does not come back together.
        """
        return Again((after_seconds or 0.0) + backoff_seconds(attempt, self.jitter()), reason)

    def in_turn(self, attempt: int, reason: str, after_seconds: float | None = None) -> Again:
        """Return when work that nothing is wrong with looks again whether it is its turn: after not much more than half
        of the time that it has waited already, so that many that wait are no burden and the last one is not forgotten.
        """
        full = min(MOST_TURN_SECONDS, FIRST_TURN_SECONDS * TURN_GROWTH ** min(attempt - 1, 20))
        return Again((after_seconds or 0.0) + full * (0.5 + self.jitter() / 2), reason)

    def note(
        self,
        connection: Connection,
        action: Action,
        outcome: Outcome,
        message: str,
        presence: UUID | None = None,
        product: UUID | None = None,
    ) -> None:
        entry = Activity(
            connection=connection.id,
            action=action,
            outcome=outcome,
            message=message,
            presence=presence,
            product=product,
        )
        self.line.note(connection.organization, self.clock(), [entry])

    def refused(self, connection: Connection, action: Action, reason: str) -> None:
        """Only other credentials help. The connection says so, and is left alone until there are some."""
        command = NoteRefused(id=connection.id, reason=reason, is_final=True, revision=connection.version)
        try:
            self.bus.execute(command, self.context(connection.organization))
        except NotFound:
            return
        _log.warning("refused", reason=reason)
        self.note(connection, action, "failed", reason)

"""What rounds and listings share: what they are done with, and what becomes of them where a marketplace fails."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple
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
from projections.todo import Todo
from workers.leases import Lease
from workers.marketplaces.base import Account, Reconnect
from workers.marketplaces.registry import Marketplaces
from workers.runner import Again
from workers.turns import Turns

WAITS = "It waits for its turn."
_log = structlog.get_logger("sync")


class Desk(NamedTuple):
    """What sync work is done with; all threads of a process share it. `jitter` is from 0 to 1."""

    settings: Settings
    bus: Bus
    marketplaces: Marketplaces
    turns: Turns
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    jitter: Callable[[], float] = random.random

    def connection(self, id: UUID) -> Connection | None:
        """Return a connection as it stands; None where it lets us do nothing."""
        state = self.bus.store.load(id, fold)
        return state if state is not None and state.is_usable else None

    @contextmanager
    def opened(self, connection: Connection, lease: Lease) -> Iterator[Account]:
        """Give the account, which asks the lease before each request. Raises what accounts do, Reconnect too where what
        opens it cannot be read.
        """
        with Credentials(self.settings.database_url) as credentials:
            try:
                yield self.marketplaces.account(connection.id, connection.platform_uid, credentials, lease.check)
            except Unsealable as error:
                raise Reconnect(str(error)) from error

    def context(self, organization: UUID) -> Context:
        return Context(organization, "system", f"sync-{uuid4()}")

    def why(self, subject: UUID) -> str | None:
        """Return why work last came to nothing, as the to-do list has it."""
        with Todo(self.settings.database_url) as todo:
            return todo.error(subject)

    def later(self, attempt: int, reason: str, after_seconds: float | None = None) -> Again:
        """Return when work that waits is due again: the later the more attempts there were, and no sooner than the
        marketplace wishes. What waits together does not come back together.
        """
        return Again((after_seconds or 0.0) + backoff_seconds(attempt, self.jitter()), reason)

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
        with ActivityLog(self.settings.database_url) as log:
            log.note(connection.organization, self.clock(), [entry])

    def refused(self, connection: Connection, action: Action, reason: str) -> None:
        """Only other credentials help. The connection says so, and is left alone until there are some."""
        command = NoteRefused(id=connection.id, reason=reason, is_final=True, revision=connection.version)
        try:
            self.bus.execute(command, self.context(connection.organization))
        except NotFound:
            return
        _log.warning("refused", reason=reason)
        self.note(connection, action, "failed", reason)

"""Tries a connection: whether the marketplace lets us in."""

from typing import Self
from uuid import UUID, uuid4

import structlog

from commands.bus import Bus
from commands.connection import NoteRefused, NoteVerified
from commands.settings import Settings
from commands.vault import Unsealable
from commands.work import Context
from domain.connection.connection import Connection, fold
from domain.errors import NotFound
from projections.credential import Credentials
from workers.leases import Lease
from workers.marketplaces.base import MarketplaceError, Transient
from workers.marketplaces.registry import Marketplaces
from workers.runner import Overtaken, Postponed

_log = structlog.get_logger("connections")


class ConnectionWork:
    """A connection that is to be tried."""

    def __init__(self, bus: Bus, database_url: str, marketplaces: Marketplaces, state: Connection) -> None:
        self._bus = bus
        self._database_url = database_url
        self._marketplaces = marketplaces
        self._state = state

    @classmethod
    def take(cls, bus: Bus, settings: Settings, marketplaces: Marketplaces, id: UUID) -> Self | None:
        """Return it as it stands, None where nobody wants to know any more."""
        state = bus.store.load(id, fold)
        if state is None or not state.is_test_owed:
            return None
        return cls(bus, settings.database_url, marketplaces, state)

    def attempt(self, lease: Lease) -> None:
        id = self._state.id
        try:
            with Credentials(self._database_url) as credentials:
                self._marketplaces.account(id, self._state.platform_uid, credentials, lease.check).verify()
        except Transient as error:
            self._note(NoteRefused(id=id, reason=str(error), is_final=False))
            raise Postponed(str(error)) from error
        except (MarketplaceError, Unsealable) as error:
            self._note(NoteRefused(id=id, reason=str(error), is_final=True))
            _log.warning("refused", reason=str(error))
            return
        self._note(NoteVerified(id=id))
        _log.info("verified")

    def _note(self, command: NoteVerified | NoteRefused) -> None:
        """Raises Overtaken where it was deleted meanwhile."""
        try:
            self._bus.execute(command, Context(self._state.organization, "system", f"connection-{uuid4()}"))
        except NotFound as error:
            raise Overtaken from error

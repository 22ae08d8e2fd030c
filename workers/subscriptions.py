"""Has a platform send notifications of a connection. Where it does not, orders are read by the clock all the same."""

from typing import Self
from uuid import UUID, uuid4

import structlog

from commands.bus import Bus
from commands.notification import NoteSubscribed
from commands.settings import Settings
from commands.tokens import verification_token
from commands.vault import Unsealable
from commands.work import Context
from domain import ids
from domain.connection.activity import Outcome
from domain.connection.connection import Connection, fold
from domain.errors import NotFound
from projections.credential import Credentials
from projections.notification import Subscribers
from workers.leases import Lease
from workers.marketplaces.base import MarketplaceError, Transient
from workers.marketplaces.ebay_notifications import Endpoint
from workers.marketplaces.registry import Marketplaces
from workers.runner import Over, Overtaken, Postponed

PATH = "/api/v1/marketplace-connections/{uid}/notifications/"
SUBSCRIBED = "eBay tells of orders from now on."
NOT_HTTPS = "eBay tells of orders at an https address alone, and PUBLIC_URL is none: they are read by the clock."
_log = structlog.get_logger("subscriptions")


class SubscriptionWork:
    """A connection that its platform is to send notifications of."""

    def __init__(self, bus: Bus, settings: Settings, marketplaces: Marketplaces, state: Connection) -> None:
        self._bus = bus
        self._settings = settings
        self._marketplaces = marketplaces
        self._state = state

    @classmethod
    def take(cls, bus: Bus, settings: Settings, marketplaces: Marketplaces, work: UUID) -> Self | None:
        with Subscribers(settings.database_url) as subscribers:
            connection = subscribers.of(work)
        state = None if connection is None else bus.store.load(connection, fold)
        return None if state is None else cls(bus, settings, marketplaces, state)

    def attempt(self, lease: Lease) -> Over:
        """Each outcome is in the connection's activity; none is in its status."""
        if not self._is_reachable:
            return self._ended("skipped", NOT_HTTPS)
        try:
            with Credentials(self._settings.database_url) as credentials:
                there = self._marketplaces.notifications(self._state.id, credentials)
                lease.check()
                there.subscribe(self._endpoint)
        except Transient as error:
            self._note("failed", str(error))
            raise Postponed(str(error), error.after_seconds) from error
        except (MarketplaceError, Unsealable) as error:
            _log.warning("refused", reason=str(error))
            return self._ended("failed", str(error))
        return self._ended("done", SUBSCRIBED)

    @property
    def _is_reachable(self) -> bool:
        """EBay wants https. What stands in for it on this machine is spoken to without, and speaks so itself."""
        return self._settings.public_url.startswith("https://") or (
            bool(self._settings.public_url) and self._settings.ebay_api_url.startswith("http://")
        )

    @property
    def _endpoint(self) -> Endpoint:
        uid = ids.uid(ids.CONNECTION, self._state.id)
        token = verification_token(self._settings.secret_key, self._state.id)
        return Endpoint(uid, f"{self._settings.public_url}{PATH.format(uid=uid)}", token)

    def _ended(self, outcome: Outcome, message: str) -> Over:
        self._note(outcome, message)
        return Over()

    def _note(self, outcome: Outcome, message: str) -> None:
        """Raises Overtaken where it was deleted meanwhile."""
        command = NoteSubscribed(connection=self._state.id, outcome=outcome, message=message)
        try:
            self._bus.execute(command, Context(self._state.organization, "system", f"subscription-{uuid4()}"))
        except NotFound as error:
            raise Overtaken from error

"""What a mail needs to know beside the purchase: to whom it goes, and for whom."""

import threading
from typing import NamedTuple
from uuid import UUID

from projections.base import queries
from projections.worker import WorkerConnection

_SQL = queries("letters")


class Addressed(NamedTuple):
    """`email` and `name` are the buyer's, `reply_to` is where the seller gets answers; None where there is none."""

    email: str
    name: str | None
    seller: str
    reply_to: str | None


class Letters:
    """For threads, each of which has a connection of its own. Raises Unavailable."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connections = threading.local()

    def addressed(self, purchase: UUID) -> Addressed | None:
        """Return to whom a mail about the purchase goes; None where that is not known any more."""
        found = self._connection().rows(_SQL["addressed"], {"purchase": purchase})
        return Addressed(*found[0]) if found else None

    def close(self) -> None:
        """Close this thread's connection."""
        self._connection().close()

    def _connection(self) -> WorkerConnection:
        if not hasattr(self._connections, "own"):
            self._connections.own = WorkerConnection(self._database_url)
        own: WorkerConnection = self._connections.own
        return own

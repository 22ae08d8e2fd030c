"""The work that the log owes, and who has it on lease."""

from typing import NamedTuple
from uuid import UUID

from projections.base import queries
from projections.worker import WorkerConnection

_SQL = queries("todo")


class Leased(NamedTuple):
    """One piece of work, given to the holder of `token` until the lease runs out."""

    subject: UUID
    organization: UUID
    kind: str
    token: UUID


class Todo(WorkerConnection):
    """The to-do list; `wait` returns when there is new work on it."""

    LISTENS_TO = "todo"

    def lease(self, limit: int, seconds: float) -> list[Leased]:
        """Take up to `limit` pieces of work that are due and that nobody has."""
        return [Leased(*row) for row in self.rows(_SQL["lease"], {"limit": limit, "seconds": seconds})]

    def renew(self, subject: UUID, token: UUID, seconds: float) -> bool:
        """Prolong a lease, also one that ran out and that nobody took; False where it is another's or no more."""
        return bool(self.rows(_SQL["renew"], {"subject": subject, "token": token, "seconds": seconds}))

    def release(self, subject: UUID, token: UUID, after_seconds: float = 0.0) -> None:
        """Give a lease back; what is still owed then is due again after so many seconds."""
        self.rows(_SQL["release"], {"subject": subject, "token": token, "seconds": after_seconds})

    def sweep(self) -> None:
        """Forget the leases of work that is no longer owed."""
        self.rows(_SQL["sweep"], {})

"""When what has to be done from time to time is due next, and who does it."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from projections.base import queries
from projections.worker import WorkerConnection

_SQL = queries("chores")


class Taken(NamedTuple):
    """A chore, given to the holder of `token` until the lease runs out."""

    name: str
    subject: UUID
    token: UUID


class Chores(WorkerConnection):
    """The chores of all processes that share the database."""

    def know(self, names: Sequence[str]) -> None:
        """Have chores of these names; one that is new is due at once."""
        self.rows(_SQL["know"], {"names": list(names)})

    def take(self, names: Sequence[str], every_seconds: Sequence[float], seconds: float) -> Taken | None:
        """Take one of these chores that is due and that nobody has, for so many seconds."""
        values = {"names": list(names), "every": [float(every) for every in every_seconds], "seconds": seconds}
        found = self.rows(_SQL["take"], values)
        return Taken(*found[0]) if found else None

    def done(self, subject: UUID, token: UUID, again_in_seconds: float) -> None:
        """Give it back; periods that were missed are not made up for."""
        self.rows(_SQL["done"], {"subject": subject, "token": token, "seconds": again_in_seconds})

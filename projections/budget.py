"""What marketplaces let us ask, and whether a connection is to be left alone: rows that all processes share.

The time is a parameter everywhere, so that a test's time is as good as the world's.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from projections.base import queries
from projections.worker import WorkerConnection

BREAKER = "breaker"
REVISIONS = "ebay-revisions:"
"""What keys of single listings begin with; they are of no use once their day is over."""
_SQL = queries("budget")


class Spend(NamedTuple):
    """One turn of a key that has one each `pace_seconds`, or `a_day` of them a day in UTC."""

    key: str
    pace_seconds: float | None = None
    a_day: int | None = None


class Turn(NamedTuple):
    """`refused` is what there is no turn by (BREAKER or a key), None where there is one after `wait_seconds`.
    `failures` are those that the breaker has in mind: 0 where a call that goes well is no news.
    """

    wait_seconds: float
    refused: str | None
    failures: int


class Standing(NamedTuple):
    """`used` of `a_day` (None: not counted by day) today; `remaining` is what the marketplace said itself."""

    key: str
    a_day: int | None
    used: int
    remaining: int | None
    blocked_until: datetime | None


class Breaker(NamedTuple):
    """`state` is closed, open or half-open; `reason` is our own words for what failed last."""

    connection: UUID
    state: str
    failures: int
    until: datetime | None
    reason: str | None


class Budget:
    """Asks by a connection that whoever works has anyway. Every method raises Unavailable."""

    def __init__(self, database: WorkerConnection) -> None:
        self._database = database

    def take(
        self,
        at: datetime,
        connection: UUID | None,
        spends: Sequence[Spend],
        patience_seconds: float,
        trial_seconds: float,
    ) -> Turn:
        """Take a turn of each, or none where that meant to wait for longer than `patience_seconds`. No `connection`:
        no breaker is asked.
        """
        in_order = sorted(spends)
        found = self._database.rows(
            _SQL["take"],
            {
                "at": at,
                "connection": connection,
                "keys": [spend.key for spend in in_order],
                "paces": [spend.pace_seconds for spend in in_order],
                "days": [spend.a_day for spend in in_order],
                "patience": patience_seconds,
                "trial": trial_seconds,
            },
        )
        return Turn(*found[0])

    def block(self, key: str, at: datetime, until: datetime) -> None:
        self._database.rows(_SQL["block"], {"key": key, "at": at, "until": until})

    def correct(self, key: str, pace_seconds: float | None, remaining: int, next_turn: datetime) -> None:
        """Have the next turn no sooner than `next_turn`; `pace_seconds` is None where the usual one is right."""
        values: dict[str, object] = {"key": key, "pace": pace_seconds, "remaining": remaining}
        values["next"] = next_turn
        self._database.rows(_SQL["correct"], values)

    def failed(
        self,
        connection: UUID,
        at: datetime,
        reason: str,
        *,
        threshold: int,
        least_seconds: float,
        most_seconds: float,
        jitter: float,
    ) -> str:
        """Return the breaker's state then. What it is open for is up to a half shorter, by `jitter` from 0 to 1."""
        values: dict[str, object] = {"connection": connection, "at": at, "reason": reason, "jitter": jitter}
        values |= {"threshold": threshold, "least": least_seconds, "most": most_seconds}
        state: str = self._database.rows(_SQL["failed"], values)[0][0]
        return state

    def succeeded(self, connection: UUID) -> None:
        self._database.rows(_SQL["succeeded"], {"connection": connection})

    def let_go(self, connection: UUID, at: datetime) -> None:
        """The call that a breaker was tried by said nothing of whether it is to close."""
        self._database.rows(_SQL["let_go"], {"connection": connection, "at": at})

    def forget(self, before: date) -> int:
        """Drop counts of single listings from before that day; return how many."""
        return len(self._database.rows(_SQL["forget"], {"before": before}))

    def standing(self, at: datetime) -> list[Standing]:
        return [Standing(*row) for row in self._database.rows(_SQL["standing"], {"at": at})]

    def breakers(self, at: datetime) -> list[Breaker]:
        """Return those that are open, half-open, or have failures in mind."""
        return [Breaker(*row) for row in self._database.rows(_SQL["breakers"], {"at": at})]

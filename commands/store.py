"""The event log: one transaction holds the events and all that must agree with them."""

import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, Self
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from commands.connections import LoopConnections
from commands.reading import Reading, reachable
from commands.recorder import (
    ANSWER_TIMEOUT_SECONDS,
    CONNECT_TIMEOUT_SECONDS,
    OPEN_TIMEOUT_SECONDS,
    OPTIONS,
    Connections,
    Guard,
    StoredEvent,
    ThreadConnections,
)
from commands.save import Claim, Receipt, Replayed, Save, Saved
from commands.steps import append_step, claim_step, receipt_steps
from commands.together import Together
from commands.waiting import in_loop, wait_for
from domain.errors import Busy, Conflict, Taken, Unavailable
from domain.event import Change, DomainEvent, Projected, Step

AMBIGUOUS_COMMIT_ATTEMPTS = 3


_CONTENTION = (errors.DeadlockDetected, errors.SerializationFailure)
_SELECT_EVENT = b"SELECT notification_id, state FROM events WHERE originator_id = %b AND originator_version = %b"


class Prepared(NamedTuple):
    """Saves made ready: their events, the steps of their transaction and the documents of their answers."""

    saves: Sequence[Save]
    stored: Sequence[StoredEvent]
    steps: Sequence[Step]
    documents: Mapping[UUID, str]


class InlineProjection(Protocol):
    """Says what its tables become by some changes; the store runs that in the append transaction."""

    def project(self, changes: Sequence[Change]) -> Projected: ...


class Store(Reading):
    """Loads and saves aggregates.

    `pool_size` is how many save at once. Made by its constructor it is for threads, which share it; a store that
    `opened_in_loop` gives is for commands that run within commands.waiting.in_loop.
    """

    def __init__(
        self,
        database_url: str,
        projections: Sequence[InlineProjection] = (),
        pool_size: int = 8,
        connections: Connections | None = None,
    ) -> None:
        self._projections = tuple(projections)
        self._threads: ThreadConnections | None = None
        self._together: Together | None = None
        if connections is None:
            with reachable():
                connections = self._threads = ThreadConnections(database_url, pool_size)
        super().__init__(connections)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened_in_loop(
        cls, database_url: str, projections: Sequence[InlineProjection], pool_size: int, *, shared: bool = True
    ) -> AsyncIterator[Self]:
        """Give a store for the running loop. With `shared`, saves that come at once share a transaction.

        Raises Unavailable.
        """
        options = f"{OPTIONS} -c statement_timeout={ANSWER_TIMEOUT_SECONDS}s"
        connections = LoopConnections(database_url, pool_size, options, CONNECT_TIMEOUT_SECONDS)
        try:
            with reachable():
                await connections.open(OPEN_TIMEOUT_SECONDS)
            store = cls(database_url, projections, pool_size, connections)
            if shared:
                store._together = Together(partial(_in_loop, store))
            yield store
            if store._together is not None:
                await store._together.close()
        finally:
            await connections.close()

    def close(self) -> None:
        if self._threads is not None:
            self._threads.close()

    def notifications(self, start: int, limit: int) -> Sequence[tuple[int, DomainEvent]]:
        """Return (position, event) from position `start` on, in the order of the log. For threads alone."""
        assert self._threads is not None, "a loop follows the log through its projections"
        with reachable():
            found = self._threads.notifications(start, limit)
        return [(n.id, self._mapper.to_domain_event(n)) for n in found]

    def save(
        self,
        changes: Sequence[Change],
        *,
        claims: Sequence[Claim] = (),
        release: Sequence[UUID] = (),
        receipt: Receipt | None = None,
        guard: Guard | None = None,
        steps: Sequence[Step] = (),
    ) -> Saved:
        """Append the events of `changes` with everything that goes with them (see Save), or nothing at all.

        `guard` runs first in the transaction and raises to refuse it.
        Raises Conflict (a stream moved on: load again), Taken (a claim has another holder), Replayed or
        IdempotencyMismatch (the receipt's key is bound), Busy (a lock did not come free), Unavailable.
        """
        save = Save(changes, claims, release, receipt, steps)
        # What brings steps of its own has decided on more than its streams: it holds that alone.
        if self._together is not None and guard is None and not steps and any(change.events for change in changes):
            return wait_for(self._together.save(save))
        [saved] = self.write(self.prepare([save]), guard)
        return saved

    def prepare(self, saves: Sequence[Save]) -> Prepared:
        """Return saves that only the database has still to do, in one transaction. They hold while nothing else
        writes to their streams.
        """
        changes = [change for save in saves for change in save.changes]
        stored = [self._mapper.to_stored_event(event) for change in changes for event in change.events]
        projected = [projection.project(changes) for projection in self._projections]
        documents = dict(item for made in projected for item in made.documents.items())
        steps = [step for save in saves for step in save.steps]
        steps += [step for made in projected for step in made.steps]
        if release := [holder for save in saves for holder in save.release]:
            steps.append(Step("release_claims(%b)", (release,)))
        if claims := [claim for save in saves for claim in save.claims]:
            steps.append(claim_step(claims))
        steps += receipt_steps([save.receipt for save in saves if save.receipt is not None], documents)
        if stored:
            steps.append(append_step(stored))
        return Prepared(saves, stored, steps, documents)

    def write(self, prepared: Prepared, guard: Guard | None = None) -> list[Saved]:
        """Do what save does, for each of what was prepared or for none of it. Raises what save raises."""
        saves, stored, steps, documents = prepared
        receipt = saves[0].receipt if len(saves) == 1 else None
        positions = self._run(stored, steps, guard, receipt) if steps or guard is not None else ()
        if len(saves) == 1:
            return [Saved(positions, documents)]
        saved, start = [], 0
        for save in saves:
            end = start + sum(len(change.events) for change in save.changes)
            own = {change.id: documents[change.id] for change in save.changes if change.id in documents}
            saved.append(Saved(positions[start:end], own))
            start = end
        return saved

    def _run(
        self, stored: Sequence[StoredEvent], steps: Sequence[Step], guard: Guard | None, receipt: Receipt | None
    ) -> Sequence[int]:
        """Call the steps in their order in one transaction; return the positions when the last one appends.

        One SELECT is its own transaction: the commit follows the log's lock without a round trip in between. The
        functions of a SELECT's list are called from left to right.
        """
        calls = [f"{step.call} AS step_{number}" for number, step in enumerate(steps)]
        statement = ("SELECT " + ", ".join(calls)).encode() if steps else None
        values = [value for step in steps for value in step.values]
        for attempt in range(1, AMBIGUOUS_COMMIT_ATTEMPTS + 1):
            try:
                if guard is not None:
                    rows = self.connections.guarded(guard, statement, values)
                else:
                    rows = self.connections.rows(statement, values) if statement else []
                return rows[0][f"step_{len(steps) - 1}"] if stored else ()
            except (errors.LockNotAvailable, errors.QueryCanceled) as error:
                # It has waited long enough: to decide again would only make it wait as long once more.
                raise Busy from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if isinstance(error, _CONTENTION):
                    raise Conflict from error
                # The connection may have died after the commit and before its answer. Only the log knows.
                if stored and (positions := self._recorded(stored)):
                    return positions
                if attempt == AMBIGUOUS_COMMIT_ATTEMPTS or isinstance(error, PoolTimeout):
                    raise Unavailable from error
                self.connections.pause(random.uniform(0.05, 0.2) * attempt)  # noqa: S311 - jitter
            except psycopg.errors.UniqueViolation as error:
                if stored and attempt > 1 and (positions := self._recorded(stored)):
                    return positions
                raise self._explained(error, receipt) from error
        raise Unavailable

    def _recorded(self, stored: Sequence[StoredEvent]) -> list[int]:
        """Return the positions of these very events; empty where they are not in the log."""
        rows = self._rows(_SELECT_EVENT, [stored[0].originator_id, stored[0].originator_version])
        if not rows or bytes(rows[0]["state"]) != stored[0].state:
            return []
        first: int = rows[0]["notification_id"]
        return list(range(first, first + len(stored)))

    def _explained(self, error: psycopg.errors.UniqueViolation, receipt: Receipt | None) -> Exception:
        """Return what a refused constraint means. Raises IdempotencyMismatch."""
        constraint = error.diag.constraint_name
        # Who took the claim may be this request's own twin.
        if receipt is not None and constraint in {"receipt_pkey", "claim_pkey"}:
            first = self.receipt(receipt.organization, receipt.key, receipt.request)
            if first is not None:
                return Replayed(first)
        return Taken(error.diag.message_detail) if constraint == "claim_pkey" else Conflict()


async def _in_loop(store: Store, saves: Sequence[Save]) -> list[Saved]:
    return await in_loop(lambda: store.write(store.prepare(saves)))

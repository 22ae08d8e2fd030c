"""The event log: one transaction holds the events and all that must agree with them."""

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from commands.connections import LoopConnections, has_died
from commands.recorder import (
    ANSWER_TIMEOUT_SECONDS,
    CONNECT_TIMEOUT_SECONDS,
    OPEN_TIMEOUT_SECONDS,
    OPTIONS,
    Connections,
    EventMapper,
    Guard,
    Rows,
    StoredEvent,
    ThreadConnections,
)
from commands.save import Claim, Receipt, Replayed, Save, Saved
from commands.together import Together
from commands.waiting import in_loop, wait_for
from domain.errors import Busy, Conflict, IdempotencyMismatch, Taken, Unavailable
from domain.event import Change, DomainEvent, Projected, Step

S = TypeVar("S")

AMBIGUOUS_COMMIT_ATTEMPTS = 3


_CONTENTION = (errors.DeadlockDetected, errors.SerializationFailure)
_NEWEST = 2**62

_SELECT_STREAM = b"""SELECT originator_id, originator_version, topic, state FROM events
    WHERE originator_id = %b AND originator_version <= %b::bigint ORDER BY originator_version"""
_SELECT_FIRSTS = b"""SELECT originator_id, originator_version, topic, state FROM events
    WHERE originator_id = ANY(%b) AND originator_version = 1"""
_SELECT_ALL = b"""SELECT originator_id, originator_version, topic, state FROM events
    WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version"""
_SELECT_FAMILIES = b"""SELECT p.id, f.child_revision, f.items_made, f.items, f.presences
    FROM unnest(%b::uuid[]) AS p (id) CROSS JOIN LATERAL family(p.id) AS f"""
_SELECT_NUMBERS = b"SELECT nextval('presence_number') AS number FROM generate_series(1, %b::integer)"
_SELECT_EVENT = b"SELECT notification_id, state FROM events WHERE originator_id = %b AND originator_version = %b"
_SELECT_HOLDERS = b"SELECT value, holder FROM claim WHERE organization = %b AND kind = %s AND value = ANY(%b)"
_SELECT_CLAIMS = b"SELECT holder, value FROM claim WHERE kind = %s AND holder = ANY(%b)"
_SELECT_RECEIPT = b"SELECT request, status, headers, body FROM receipt WHERE organization = %b AND key = %s"
_DELETE_RECEIPTS = b"DELETE FROM receipt WHERE created < now() - make_interval(secs => %s) RETURNING 1"


class Family(NamedTuple):
    """A product's items and presences, oldest first. `revision` counts their events, `items_made` all items ever."""

    revision: int
    items_made: int
    items: Sequence[UUID]
    presences: Sequence[UUID]


class Prepared(NamedTuple):
    """Saves made ready: their events, the steps of their transaction and the documents of their answers."""

    saves: Sequence[Save]
    stored: Sequence[StoredEvent]
    steps: Sequence[Step]
    documents: Mapping[UUID, str]


class InlineProjection(Protocol):
    """Says what its tables become by some changes; the store runs that in the append transaction."""

    def project(self, changes: Sequence[Change]) -> Projected: ...


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _claim_step(claims: Sequence[Claim]) -> Step:
    # Sorted, so that two batches that claim the same values cannot wait for each other.
    return Step("take_claims(%b, %b::text[], %b::text[], %b)", _columns(sorted(claims)))


def _receipt_steps(receipts: Sequence[Receipt], documents: Mapping[UUID, str]) -> Iterator[Step]:
    whole = []
    for receipt in sorted(receipts, key=itemgetter(0, 1)):
        if receipt.parts:
            call = "bind_composed_receipt(%b, %s, %b, %b::smallint, %s, %b::text[], %b::uuid[])"
            yield Step(call, (*receipt[:5], *_columns(receipt.parts)))
        elif receipt.subject is not None and receipt.subject not in documents:
            # A product that may have items and presences: its document is whole in the database alone.
            yield Step("bind_product_receipt(%b, %s, %b, %b::smallint, %s, %b)", receipt[:6])
        else:
            whole.append((*receipt[:5], receipt.body if receipt.subject is None else documents[receipt.subject]))
    if len(whole) == 1:
        yield Step("bind_receipt(%b, %s, %b, %b::smallint, %s, %s)", whole[0])
    elif whole:
        yield Step("bind_receipts(%b, %b::text[], %b, %b::smallint[], %b::text[], %b::text[])", _columns(whole))


def _append_step(stored: Sequence[StoredEvent]) -> Step:
    rows = [(e.originator_id, e.originator_version, e.topic, e.state) for e in stored]
    if len(rows) == 1:
        return Step("append_event(%b, %b, %b, %b)", rows[0])
    return Step("append_events(%b, %b::bigint[], %b::text[], %b)", _columns(rows))


class Store:
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
        self._mapper = EventMapper()
        self._threads: ThreadConnections | None = None
        self._together: Together | None = None
        if connections is None:
            with _reachable():
                connections = self._threads = ThreadConnections(database_url, pool_size)
        self.connections: Connections = connections

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
            with _reachable():
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

    def load(self, id: UUID, fold: Callable[[Iterable[DomainEvent]], S], version: int | None = None) -> S:
        """Fold a stream, up to `version` when given. An unknown id folds no events."""
        rows = self._rows(_SELECT_STREAM, [id, version if version is not None else _NEWEST])
        return fold(self._mapper.to_domain_event(StoredEvent(**row)) for row in rows)

    def firsts(self, ids: Sequence[UUID]) -> dict[UUID, DomainEvent]:
        """Return the first event of each stream of `ids` that exists."""
        rows = self._rows(_SELECT_FIRSTS, [list(ids)])
        return {row["originator_id"]: self._mapper.to_domain_event(StoredEvent(**row)) for row in rows}

    def load_all(self, ids: Sequence[UUID]) -> dict[UUID, list[DomainEvent]]:
        """Return the events of each stream of `ids` that exists, oldest first."""
        streams: dict[UUID, list[DomainEvent]] = {}
        for row in self._rows(_SELECT_ALL, [list(ids)]) if ids else ():
            streams.setdefault(row["originator_id"], []).append(self._mapper.to_domain_event(StoredEvent(**row)))
        return streams

    def family(self, product: UUID) -> Family | None:
        """Return what belongs to the product at this moment; None where it is gone."""
        return self.families([product]).get(product)

    def families(self, products: Sequence[UUID]) -> dict[UUID, Family]:
        """Return what belongs to each of the products at this moment; those that are gone are left out."""
        return {id: Family(*family) for id, *family in map(dict.values, self._rows(_SELECT_FAMILIES, [list(products)]))}

    def next_presence_numbers(self, count: int) -> list[int]:
        """Return numbers that no presence of the deployment has or had, ascending."""
        return sorted(row["number"] for row in self._rows(_SELECT_NUMBERS, [count]))

    def holders(self, organization: UUID, kind: str, values: Sequence[str]) -> dict[str, UUID]:
        """Return who holds which of `values`; values without a holder are left out."""
        rows = self._rows(_SELECT_HOLDERS, [organization, kind, list(values)])
        return {row["value"]: row["holder"] for row in rows}

    def claims(self, kind: str, holders: Sequence[UUID]) -> dict[UUID, list[str]]:
        """Return what each of `holders` holds of this kind; those that hold nothing are left out."""
        held: dict[UUID, list[str]] = {}
        for row in self._rows(_SELECT_CLAIMS, [kind, list(holders)]):
            held.setdefault(row["holder"], []).append(row["value"])
        return held

    def receipt(self, organization: UUID, key: str, request: bytes) -> Receipt | None:
        """Return the answer bound to the key. Raises IdempotencyMismatch where it was another request's."""
        rows = self._rows(_SELECT_RECEIPT, [organization, key])
        if not rows:
            return None
        [row] = rows
        if bytes(row["request"]) != request:
            raise IdempotencyMismatch
        return Receipt(organization, key, request, row["status"], row["headers"], None, row["body"])

    def forget_receipts(self, older_than_seconds: int) -> int:
        """Delete the receipts past their time; return how many there were."""
        return len(self._rows(_DELETE_RECEIPTS, [older_than_seconds]))

    def notifications(self, start: int, limit: int) -> Sequence[tuple[int, DomainEvent]]:
        """Return (position, event) from position `start` on, in the order of the log. For threads alone."""
        assert self._threads is not None, "a loop follows the log through its projections"
        with _reachable():
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
            steps.append(_claim_step(claims))
        steps += _receipt_steps([save.receipt for save in saves if save.receipt is not None], documents)
        if stored:
            steps.append(_append_step(stored))
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

    def _rows(self, statement: bytes, values: Sequence[Any]) -> Rows:
        with _reachable():
            try:
                return self.connections.rows(statement, values)
            except psycopg.OperationalError as error:
                if not has_died(error):
                    raise
            # The connections that died with it are replaced by now. What comes through here can be done twice.
            return self.connections.rows(statement, values)


async def _in_loop(store: Store, saves: Sequence[Save]) -> list[Saved]:
    return await in_loop(lambda: store.write(store.prepare(saves)))


@contextlib.contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable from error

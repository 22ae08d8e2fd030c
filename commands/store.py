"""The event log, on the eventsourcing library. One transaction holds the events and all that must agree with them."""

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import DatabaseError as LogError
from eventsourcing.persistence import InterfaceError as LogInterfaceError
from eventsourcing.persistence import Mapper, Notification, StoredEvent, Transcoder
from eventsourcing.persistence import OperationalError as LogUnreachable
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Cursor, errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from domain.errors import Conflict, IdempotencyMismatch, Taken, Unavailable
from domain.event import Change, DomainEvent, Projected, Step
from domain.vocabulary import EVENTS

S = TypeVar("S")
Guard = Callable[[Cursor[Any]], None]

LOG_TABLE = "events"
CONNECT_TIMEOUT_SECONDS = 2.0
OPEN_TIMEOUT_SECONDS = 5.0
LOCK_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_SECONDS = 60
"""PostgreSQL gives up on a statement after this; an import's batch takes a fraction of a second."""
AMBIGUOUS_COMMIT_ATTEMPTS = 3


class Claim(NamedTuple):
    """A value that one aggregate of an organization may hold, e.g. ("import", "discogs:release:249504")."""

    organization: UUID
    kind: str
    value: str
    holder: UUID


class Receipt(NamedTuple):
    """An Idempotency-Key and the answer it is bound to. `request` is a digest of method, path and body; `body` is
    None until the write has made it: then the document of `subject` is taken. `headers` is JSON text.
    """

    organization: UUID
    key: str
    request: bytes
    status: int
    headers: str = "{}"
    subject: UUID | None = None
    body: str | None = None


class Replayed(Exception):
    """The key has been answered before: the first answer is `receipt`."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("This request was answered before.")
        self.receipt = receipt


class Saved(NamedTuple):
    """Log positions of the events, and the documents that the projections made of the aggregates, by id."""

    positions: Sequence[int]
    documents: Mapping[UUID, str]


class InlineProjection(Protocol):
    """Says what its tables become by some changes; the store runs that in the append transaction."""

    def project(self, changes: Sequence[Change]) -> Projected: ...


class EventMapper(Mapper[UUID]):
    """Events to JSON and back; the topic is the one pinned on the event class."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decoders = {topic: msgspec.json.Decoder(event).decode for topic, event in EVENTS.items()}
        super().__init__(transcoder=_NoTranscoder())

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.TOPIC,
            state=self._encode(domain_event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        return self._decoders[stored_event.topic](stored_event.state)


class _NoTranscoder(Transcoder):
    """The mapper base class asks for one; encoding is msgspec's."""

    def encode(self, obj: Any) -> bytes:
        return msgspec.json.encode(obj)

    def decode(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


class LogRecorder(PostgresApplicationRecorder):
    """The library's recorder, with a write of events and all that goes with them as one statement."""

    def run(self, steps: Sequence[Step], guard: Guard | None) -> Sequence[int]:
        """Call the steps in their order in one transaction; return the positions when the last one appends.

        One SELECT is its own transaction: the commit follows the log's lock without a round trip in between. The
        functions of a SELECT's list are called from left to right.
        """
        statement = ("SELECT " + ", ".join(step.call for step in steps)).encode()
        values = [value for step in steps for value in step.values]
        with self.datastore.get_connection() as connection:
            if guard is None:
                return self._positions(connection.cursor(row_factory=tuple_row), statement, values)
            with connection.transaction():
                guard(connection.cursor())
                return self._positions(connection.cursor(row_factory=tuple_row), statement, values) if steps else ()

    @staticmethod
    def _positions(cursor: Cursor[tuple[Any, ...]], statement: bytes, values: Sequence[Any]) -> Sequence[int]:
        row = cursor.execute(statement, values, prepare=True).fetchone()
        return row[-1] or () if row else ()


def _claim_step(claims: Sequence[Claim]) -> Step:
    # Sorted, so that two batches that claim the same values cannot wait for each other.
    return Step("take_claims(%b, %b::text[], %b::text[], %b)", [list(c) for c in zip(*sorted(claims), strict=True)])


def _append_step(stored: Sequence[StoredEvent]) -> Step:
    rows = [(e.originator_id, e.originator_version, e.topic, e.state) for e in stored]
    if len(rows) == 1:
        return Step("append_event(%b, %b, %b, %b)", rows[0])
    return Step("append_events(%b, %b::bigint[], %b::text[], %b)", [list(c) for c in zip(*rows, strict=True)])


class Store:
    """Loads and saves aggregates. Synchronous, shared between threads; `pool_size` is how many save at once."""

    def __init__(self, database_url: str, projections: Sequence[InlineProjection] = (), pool_size: int = 8) -> None:
        self._projections = tuple(projections)
        self._mapper = EventMapper()
        with _reachable():
            self._datastore = _datastore(database_url, pool_size)
            self._datastore.pool.open(wait=True, timeout=OPEN_TIMEOUT_SECONDS)
            self._recorder = LogRecorder(self._datastore, events_table_name=LOG_TABLE)

    def close(self) -> None:
        self._datastore.close()

    def load(self, id: UUID, fold: Callable[[Iterable[DomainEvent]], S], version: int | None = None) -> S:
        """Fold a stream, up to `version` when given. An unknown id folds no events."""
        with _reachable():
            stored = self._recorder.select_events(id, lte=version)
        return fold(self._mapper.to_domain_event(event) for event in stored)

    def firsts(self, ids: Sequence[UUID]) -> dict[UUID, DomainEvent]:
        """Return the first event of each stream of `ids` that exists."""
        statement = (
            "SELECT originator_id, originator_version, topic, state FROM events"
            " WHERE originator_id = ANY(%b) AND originator_version = 1"
        )
        rows = self._rows(statement, [list(ids)])
        return {row["originator_id"]: self._mapper.to_domain_event(StoredEvent(**row)) for row in rows}

    def holders(self, organization: UUID, kind: str, values: Sequence[str]) -> dict[str, UUID]:
        """Return who holds which of `values`; values without a holder are left out."""
        statement = "SELECT value, holder FROM claim WHERE organization = %b AND kind = %s AND value = ANY(%b)"
        rows = self._rows(statement, [organization, kind, list(values)])
        return {row["value"]: row["holder"] for row in rows}

    def receipt(self, organization: UUID, key: str, request: bytes) -> Receipt | None:
        """Return the answer bound to the key. Raises IdempotencyMismatch where it was another request's."""
        rows = self._rows(
            "SELECT request, status, headers, body FROM receipt WHERE organization = %b AND key = %s",
            [organization, key],
        )
        if not rows:
            return None
        if bytes(rows[0]["request"]) != request:
            raise IdempotencyMismatch
        row = rows[0]
        return Receipt(organization, key, request, row["status"], row["headers"], None, row["body"])

    def bind(self, receipt: Receipt) -> None:
        """Keep an answer that came without events. Raises Replayed or IdempotencyMismatch where the key is bound."""
        self.save((), receipt=receipt)

    def forget_receipts(self, older_than_seconds: int) -> int:
        """Delete the receipts past their time; return how many there were."""
        statement = "DELETE FROM receipt WHERE created < now() - make_interval(secs => %s) RETURNING 1"
        return len(self._rows(statement, [older_than_seconds]))

    def notifications(self, start: int, limit: int) -> Sequence[tuple[int, DomainEvent]]:
        """Return (position, event) from position `start` on, in the order of the log."""
        with _reachable():
            found: Sequence[Notification] = self._recorder.select_notifications(start, limit)
        return [(n.id, self._mapper.to_domain_event(n)) for n in found]

    def save(
        self,
        changes: Sequence[Change],
        *,
        claims: Sequence[Claim] = (),
        release: Sequence[UUID] = (),
        receipt: Receipt | None = None,
        guard: Guard | None = None,
    ) -> Saved:
        """Append the events of `changes` with everything that goes with them, or nothing at all.

        `release` names holders whose claims end. `guard` runs first in the transaction and raises to refuse it.
        Raises Conflict (a stream moved on: load again), Taken (a claim has another holder), Replayed or
        IdempotencyMismatch (the receipt's key is bound), Unavailable.
        """
        stored = [self._mapper.to_stored_event(event) for change in changes for event in change.events]
        projected = [projection.project(changes) for projection in self._projections]
        documents = dict(item for made in projected for item in made.documents.items())
        steps = [step for made in projected for step in made.steps]
        if release:
            steps.append(Step("release_claims(%b)", (list(release),)))
        if claims:
            steps.append(_claim_step(claims))
        if receipt is not None:
            body = receipt.body if receipt.subject is None else documents[receipt.subject]
            steps.append(Step("bind_receipt(%b, %s, %b, %b::smallint, %s, %s)", (*receipt[:5], body)))
        if stored:
            steps.append(_append_step(stored))
        if not steps and guard is None:
            return Saved((), documents)
        return Saved(self._run(stored, steps, guard, receipt), documents)

    def _run(
        self, stored: Sequence[StoredEvent], steps: Sequence[Step], guard: Guard | None, receipt: Receipt | None
    ) -> Sequence[int]:
        for attempt in range(1, AMBIGUOUS_COMMIT_ATTEMPTS + 1):
            try:
                return self._recorder.run(steps, guard)[: len(stored)]
            except (LogUnreachable, LogInterfaceError) as error:
                if _is_contention(error):
                    raise Conflict from error
                # The connection may have died after the commit and before its answer. Only the log knows.
                if stored and (positions := self._recorded(stored)):
                    return positions
                if attempt == AMBIGUOUS_COMMIT_ATTEMPTS or not _connected(error):
                    raise Unavailable from error
                time.sleep(random.uniform(0.05, 0.2) * attempt)  # noqa: S311 - jitter
            except LogError as error:
                if stored and attempt > 1 and (positions := self._recorded(stored)):
                    return positions
                self._explain(error, receipt)
                raise
        raise Unavailable

    def _recorded(self, stored: Sequence[StoredEvent]) -> list[int]:
        """Return the positions of these very events; empty where they are not in the log."""
        rows = self._rows(
            "SELECT notification_id, state FROM events WHERE originator_id = %b AND originator_version = %b",
            [stored[0].originator_id, stored[0].originator_version],
        )
        if not rows or bytes(rows[0]["state"]) != stored[0].state:
            return []
        first: int = rows[0]["notification_id"]
        return list(range(first, first + len(stored)))

    def _explain(self, error: LogError, receipt: Receipt | None) -> None:
        """Raise what a refused constraint means; return where it means nothing to a caller."""
        cause = error.__cause__
        if not isinstance(cause, errors.UniqueViolation):
            return
        match cause.diag.constraint_name:
            case "receipt_pkey" if receipt is not None:
                if (first := self.receipt(receipt.organization, receipt.key, receipt.request)) is not None:
                    raise Replayed(first) from error
            case "claim_pkey":
                raise Taken(cause.diag.message_detail) from error
        raise Conflict from error

    def _rows(self, statement: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
        with _reachable(), self._datastore.get_connection() as connection:
            return connection.execute(statement.encode(), parameters, prepare=True).fetchall()


def _datastore(database_url: str, pool_size: int) -> PostgresDatastore:
    parameters: dict[str, Any] = {k: v for k, v in conninfo_to_dict(database_url).items() if v is not None}
    timeouts = (
        f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
        # The server gives up on the write of a client that died, and with it the locks.
        " -c client_connection_check_interval=500ms"
    )
    datastore = PostgresDatastore(
        dbname=parameters.pop("dbname", ""),
        host=parameters.pop("host", ""),
        port=parameters.pop("port", ""),
        user=parameters.pop("user", ""),
        password=parameters.pop("password", ""),
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        pool_size=pool_size,
    )
    # The rest of the URL (sslmode, target_session_attrs, …) has no argument there.
    options = f"{parameters.pop('options', '')} {timeouts}".strip()
    kwargs = datastore.pool.kwargs
    assert isinstance(kwargs, dict)
    kwargs.update(parameters, options=options, application_name="deadwax write")
    for key in [key for key, value in kwargs.items() if value == ""]:
        del kwargs[key]
    return datastore


def _is_contention(error: Exception) -> bool:
    return isinstance(error.__cause__, (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure))


def _connected(error: Exception) -> bool:
    """Say whether a connection was had at all: without one there is nothing to look up or to try again."""
    return isinstance(error.__cause__, psycopg.Error) and "pool" not in type(error.__cause__).__module__


@contextlib.contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (LogUnreachable, LogInterfaceError, psycopg.OperationalError) as error:
        raise Unavailable from error

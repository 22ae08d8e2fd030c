"""The eventsourcing library's one door: its mapper, recorder and pool, as the store uses them from threads."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import Mapper, Notification, PersistenceError, StoredEvent, Transcoder
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Cursor
from psycopg.conninfo import conninfo_to_dict

from commands.connections import KEEPALIVES, RECONNECT_SECONDS, has_died
from domain.vocabulary import DECODERS

__all__ = ["Connections", "EventMapper", "Guard", "Notification", "Rows", "StoredEvent", "ThreadConnections"]

Guard = Callable[[Cursor[Any]], None]
Rows = list[dict[str, Any]]

LOG_TABLE = "events"
CONNECT_TIMEOUT_SECONDS = 2.0
OPEN_TIMEOUT_SECONDS = 5.0
LOCK_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 60
"""PostgreSQL gives up on a statement after this; an import's batch takes a fraction of a second."""
OPTIONS = (
    f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
    # The server gives up on the write of a client that died, and with it the locks.
    " -c client_connection_check_interval=500ms"
)
ANSWER_TIMEOUT_SECONDS = 8
"""Where a client waits for the answer: a write stands in several queues, each of which has the lock's timeout."""


class EventMapper(Mapper[UUID]):
    """Events to JSON and back; the topic is the one pinned on the event class."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        super().__init__(transcoder=_NoTranscoder())

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.TOPIC,
            state=self._encode(domain_event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        return DECODERS[stored_event.topic](stored_event.state)


class _NoTranscoder(Transcoder):
    """The mapper base class asks for one; encoding is msgspec's."""

    def encode(self, obj: Any) -> bytes:
        return msgspec.json.encode(obj)

    def decode(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


class Connections(Protocol):
    """How statements reach the database, from threads or from within an event loop. Raises psycopg's errors."""

    def rows(self, statement: bytes, values: Sequence[Any]) -> Rows: ...

    def guarded(self, guard: Guard, statement: bytes | None, values: Sequence[Any]) -> Rows:
        """Run the guard and then the statement in one transaction."""
        ...

    def pause(self, seconds: float) -> None: ...

    def lock(self, timeout_seconds: float) -> AbstractContextManager[None]:
        """Return a lock between commands of this process; entering it raises TimeoutError."""
        ...


class ThreadConnections:
    """The library's own pool and recorder, shared between threads."""

    def __init__(self, database_url: str, size: int) -> None:
        self._datastore = _datastore(database_url, size)
        with _plain_errors():
            self._datastore.pool.open(wait=True, timeout=OPEN_TIMEOUT_SECONDS)
            self.recorder = PostgresApplicationRecorder(self._datastore, events_table_name=LOG_TABLE)

    def close(self) -> None:
        self._datastore.close()

    def rows(self, statement: bytes, values: Sequence[Any]) -> Rows:
        with self._replacing_dead(), _plain_errors(), self._datastore.get_connection() as connection:
            return connection.execute(statement, values, prepare=True).fetchall()

    def guarded(self, guard: Guard, statement: bytes | None, values: Sequence[Any]) -> Rows:
        pool, plain = self._datastore, _plain_errors()
        with self._replacing_dead(), plain, pool.get_connection() as connection, connection.transaction():
            guard(connection.cursor())
            return [] if statement is None else connection.execute(statement, values, prepare=True).fetchall()

    def notifications(self, start: int, limit: int) -> Sequence[Notification]:
        with _plain_errors():
            found: Sequence[Notification] = self.recorder.select_notifications(start, limit)
        return found

    @contextlib.contextmanager
    def _replacing_dead(self) -> Iterator[None]:
        try:
            yield
        except psycopg.OperationalError as error:
            if has_died(error):
                self._datastore.pool.check()
            raise

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def lock(self, timeout_seconds: float) -> AbstractContextManager[None]:
        return _ThreadLock(timeout_seconds)


class _ThreadLock(AbstractContextManager[None]):
    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._timeout_seconds):
            raise TimeoutError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Raise the driver's error instead of the library's that stands for it."""
    try:
        yield
    except PersistenceError as error:
        raise error.__cause__ or error from None


def _datastore(database_url: str, pool_size: int) -> PostgresDatastore:
    parameters: dict[str, Any] = {k: v for k, v in conninfo_to_dict(database_url).items() if v is not None}
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
    options = f"{parameters.pop('options', '')} {OPTIONS}".strip()
    datastore.pool.reconnect_timeout = RECONNECT_SECONDS
    kwargs = datastore.pool.kwargs
    assert isinstance(kwargs, dict)
    kwargs.update({**KEEPALIVES, **parameters}, options=options, application_name="deadwax write")
    for key in [key for key, value in kwargs.items() if value == ""]:
        del kwargs[key]
    return datastore

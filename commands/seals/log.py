"""The log as those read it who seal it and prove it: rows as they are stored, byte for byte, and the seals."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg import Connection, Transaction
from psycopg.pq import ExecStatus
from psycopg.rows import TupleRow

from commands.connections import KEEPALIVES
from commands.seals.seal import Seal
from domain.errors import Unavailable

_LOCK = 0x64656167
_CONNECT_TIMEOUT_SECONDS = 10
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
_HEADER_BYTES = len(_SIGNATURE) + 8
_END = b"\xff\xff"
_AT_ONCE = 16
_ANY = 2**62

_COLUMNS = "notification_id, originator_id, originator_version, topic, state"
_SEALS = """SELECT number, statement, signature, leaves FROM seal
    WHERE key = %s AND number > %s AND number <= %s ORDER BY number LIMIT %s"""
_UNANCHORED = """SELECT statement, signature, leaves FROM seal AS s WHERE key = %s AND NOT EXISTS (
        SELECT FROM seal_anchor AS a WHERE a.key = s.key AND a.place = %s AND a.number = s.number)
    ORDER BY number LIMIT %s"""
# Streams and leaves come one after the other as bytes: to make an object of each, and an array of those, takes longer
# than to hash the events.
_STREAM = "encode(substring(%b FROM 16 * i + 1 FOR 16), 'hex')::uuid"
_HEADS = f"""SELECT uuid_send(stream), leaf FROM seal_head
    WHERE key = %s AND stream = ANY(ARRAY(SELECT {_STREAM} FROM generate_series(0, %s::integer - 1) AS i))"""
_ADD_HEADS = f"""INSERT INTO seal_head AS h (key, stream, leaf)
    SELECT %s, {_STREAM}, substring(%b FROM 32 * i + 1 FOR 32) FROM generate_series(0, %s::integer - 1) AS i
    ON CONFLICT (key, stream) DO UPDATE SET leaf = excluded.leaf"""


class SealedLog:
    """One connection, for one thread, of those who seal with the key called `key`.

    Every method raises Unavailable where the database does not answer.
    """

    def __init__(self, database_url: str, key: str) -> None:
        self._key = key
        with _answering():
            self._connection: Connection[TupleRow] = psycopg.connect(
                database_url,
                autocommit=True,
                connect_timeout=_CONNECT_TIMEOUT_SECONDS,
                application_name="deadwax seal",
                # In the order of the index a log of any length is read without being sorted first.
                options="-c enable_sort=off -c jit=off -c max_parallel_workers_per_gather=0",
                **KEEPALIVES,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def transaction(self) -> AbstractContextManager[Transaction]:
        return self._connection.transaction()

    def take_turn(self) -> bool:
        """Hold the right to seal until the transaction ends; False where another process has it."""
        return bool(self._one("SELECT pg_try_advisory_xact_lock(%s)", _LOCK))

    def newest(self) -> int:
        """Return the last position, 0 without any."""
        return int(self._one("SELECT coalesce(max(notification_id), 0) FROM events"))

    def rows(self, after: int, until: int = _ANY, limit: int = _ANY) -> Iterator[bytes]:
        """Yield packed rows (see leaves) in the order of positions. Nothing else is done on the connection meanwhile.

        The driver's own reading of a COPY takes twice as long for each row.
        """
        found = f"WHERE notification_id > {after:d} AND notification_id <= {until:d}"
        found += f" ORDER BY notification_id LIMIT {limit:d}"
        with _answering():
            read = self._connection.pgconn
            begun = read.exec_(f"COPY (SELECT {_COLUMNS} FROM events {found}) TO STDOUT (FORMAT binary)".encode())
            if begun.status != ExecStatus.COPY_OUT:
                raise psycopg.OperationalError(begun.error_message.decode(errors="replace"))
            while True:
                length, data = read.get_copy_data(0)
                if length < 0:
                    break
                row = bytes(data)
                if row.startswith(_SIGNATURE):
                    row = row[_HEADER_BYTES:]
                if row and row != _END:
                    yield row
            while (result := read.get_result()) is not None:
                if result.status == ExecStatus.FATAL_ERROR:
                    raise psycopg.OperationalError(result.error_message.decode(errors="replace"))

    def row_at(self, position: int) -> bytes | None:
        return next(iter(list(self.rows(position - 1, position))), None)

    def position_of(self, stream: bytes, version: int) -> int | None:
        where = "originator_id = %s AND originator_version = %s"
        found = self._one(f"SELECT notification_id FROM events WHERE {where}", UUID(bytes=stream), version)
        return None if found is None else int(found)

    def seals(self, after: int = 0, until: int = _ANY) -> Iterator[tuple[int, Seal]]:
        """Yield (number, seal) for the numbers above `after` up to `until`."""
        while True:
            with _answering():
                values = [self._key, after, until, _AT_ONCE]
                found = self._connection.execute(_SEALS.encode(), values, binary=True).fetchall()
            if not found:
                return
            for number, text, signature, leaves in found:
                after = number
                yield number, Seal(text, bytes(signature), bytes(leaves))

    def seal(self, number: int) -> Seal | None:
        return next((seal for _, seal in self.seals(number - 1, number)), None)

    def last_number(self) -> int:
        """Return the number of the newest seal, 0 without any."""
        return int(self._one("SELECT coalesce(max(number), 0) FROM seal WHERE key = %s", self._key))

    def covering(self, position: int) -> Seal | None:
        """Return the seal of the position; None where it is not sealed yet."""
        where = "key = %s AND last >= %s AND after < %s ORDER BY last LIMIT 1"
        found = self._seals(
            f"SELECT statement, signature, leaves FROM seal WHERE {where}", self._key, position, position
        )
        return found[0] if found else None

    def unanchored(self, place: str) -> list[Seal]:
        """Return the oldest seals that the place is not known to have."""
        return self._seals(_UNANCHORED, self._key, place, _AT_ONCE)

    def anchored(self, seal: Seal, place: str) -> None:
        with _answering():
            self._connection.execute(
                "INSERT INTO seal_anchor (key, number, place) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [self._key, seal.said().number, place],
            )

    def last_anchored(self, place: str) -> int:
        """Return the newest seal that was put into the place, 0 without any."""
        where = "key = %s AND place = %s"
        return int(self._one(f"SELECT coalesce(max(number), 0) FROM seal_anchor WHERE {where}", self._key, place))

    def has(self, stream: bytes) -> bool:
        return bool(self._one("SELECT EXISTS (SELECT FROM events WHERE originator_id = %s)", UUID(bytes=stream)))

    def heads(self, streams: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the newest leaf of each of the streams that has one."""
        with _answering():
            values = [self._key, b"".join(streams), len(streams)]
            return dict(self._connection.execute(_HEADS.encode(), values, binary=True).fetchall())

    def add(self, seal: Seal, heads: Mapping[bytes, bytes]) -> None:
        said = seal.said()
        with _answering():
            self._connection.execute(
                "INSERT INTO seal (key, number, after, last, statement, signature, leaves)"
                " VALUES (%s, %s, %s, %s, %s, %b, %b)",
                [self._key, said.number, said.after, said.last, *seal],
            )
            values = [self._key, b"".join(heads), b"".join(heads.values()), len(heads)]
            self._connection.execute(_ADD_HEADS.encode(), values)

    def _seals(self, statement: str, *values: Any) -> list[Seal]:
        with _answering():
            found = self._connection.execute(statement.encode(), values, binary=True)
            return [Seal(text, bytes(signature), bytes(leaves)) for text, signature, leaves in found]

    def _one(self, statement: str, *values: Any) -> Any:
        with _answering():
            row = self._connection.execute(statement.encode(), values).fetchone()
            return row[0] if row else None


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error

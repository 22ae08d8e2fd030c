"""A prepared statement asked without a cursor: for the one that every request asks, a cursor costs three times as much
as the answer."""

import asyncio
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

Rows = list[list[bytes | None]]
_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class Bare:
    """A statement with one parameter, `$1`. Each connection prepares it once, under `name`."""

    def __init__(self, name: bytes, statement: bytes) -> None:
        self._name = name
        self._statement = statement
        self._prepared: WeakSet[AsyncConnection[Any]] = WeakSet()

    async def rows(self, connection: AsyncConnection[Any], value: bytes) -> Rows:
        """Ask it with the parameter's text; return each row's columns in PostgreSQL's binary form.

        Raises OperationalError, whatever was wrong.
        """
        pgconn = connection.pgconn
        if connection not in self._prepared:
            pgconn.send_prepare(self._name, self._statement)
            await _result(pgconn)
            self._prepared.add(connection)
        pgconn.send_query_prepared(self._name, [value], result_format=Format.BINARY)
        found = await _result(pgconn)
        columns = range(found.nfields)
        return [[found.get_value(row, column) for column in columns] for row in range(found.ntuples)]


async def _result(pgconn: PGconn) -> PGresult:
    loop = asyncio.get_running_loop()
    while pgconn.flush():
        await _ready(loop.add_writer, loop.remove_writer, pgconn.socket)
    last = None
    while True:
        while pgconn.is_busy():
            await _ready(loop.add_reader, loop.remove_reader, pgconn.socket)
            pgconn.consume_input()
        found = pgconn.get_result()
        if found is None:
            break
        last = found
    if last is None or last.status not in _GOOD:
        raise psycopg.OperationalError(last.get_error_message() if last else "no result")
    return last


async def _ready(add: Any, remove: Any, socket: int) -> None:
    ready = asyncio.get_running_loop().create_future()
    add(socket, _set, ready)
    try:
        await ready
    finally:
        remove(socket)


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)

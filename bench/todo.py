"""The to-do list: how much tiny work two worker processes do in a second, from what is owed to its event."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

import psycopg

from bench.report import Row, rate
from bench.sellers import Seller
from bench.todo_worker import KIND

TASKS = 4_000
ROUNDS = 3
PROCESSES = 2
_OWE = "SELECT count(owe(id, organization, %(kind)s, now())) FROM product_list WHERE id = ANY(%(ids)s)"


def todo(environment: Mapping[str, str], seller: Seller) -> list[Row]:
    """Owe many tasks at once to workers that are there already, and time until the last is done."""
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection, _working(environment):
        ids = _products(connection, seller)
        _timed(connection, ids[: TASKS // 10])
        rates = [len(ids) / _timed(connection, ids) for _ in range(ROUNDS)]
    return [rate(f"to-do list, {PROCESSES} worker processes", "tasks/s", rates, 200)]


def _products(connection: psycopg.Connection, seller: Seller) -> list[UUID]:
    query = "SELECT id FROM product_list WHERE organization = %s LIMIT %s"
    return [row[0] for row in connection.execute(query, [seller.organization, TASKS])]


def _timed(connection: psycopg.Connection, ids: list[UUID]) -> float:
    started = time.perf_counter()
    connection.execute(_OWE, {"kind": KIND, "ids": ids})
    while connection.execute("SELECT FROM todo WHERE kind = %s LIMIT 1", [KIND]).fetchone() is not None:
        time.sleep(0.05)
    return time.perf_counter() - started


@contextmanager
def _working(environment: Mapping[str, str]) -> Iterator[None]:
    environ = {**os.environ, **environment, "DEADWAX_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "bench.todo_worker"]
    processes = [subprocess.Popen(command, env=environ) for _ in range(PROCESSES)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()

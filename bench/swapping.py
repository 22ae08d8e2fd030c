"""What a swap of the catalogue's tables costs those who write and read meanwhile."""

import multiprocessing
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from bench.report import Row
from bench.sellers import Seller
from bench.stock import open_bus
from commands.product import ReviseProduct
from projections.rebuild import BUDGET_MS, drop, rebuild, rollback

SWAPS = 20
WRITERS, READERS = 4, 2
_READ = "SELECT count(*) FROM product_list AS l JOIN product_document AS d ON d.id = l.id WHERE l.id = ANY(%s)"


_Do = Callable[[list[UUID]], list[float]]


class Waited(NamedTuple):
    """How many waited, and how long the longest did."""

    number: int
    longest_ms: float


def swapping(database_url: str, seller: Seller) -> list[Row]:
    """Let rebuilt tables and the ones before take each other's place, while products are revised and read."""
    rebuild(database_url)
    calm = _beside(database_url, seller, lambda: time.sleep(5.0))
    locked: list[float] = []

    def swap() -> None:
        locked.extend(rollback(database_url, "catalogue").locked_ms for _ in range(SWAPS))

    writes, reads = _beside(database_url, seller, swap)
    drop(database_url, "catalogue")
    name = f"longest wait of {{}} in {SWAPS} swaps of the catalogue, beside the longest without any"
    return [
        _row(name.format(f"{writes.number:,} writes"), writes, calm[0]),
        _row(name.format(f"{reads.number:,} reads"), reads, calm[1]),
        _row(f"longest lock of {SWAPS} swaps", Waited(SWAPS, max(locked)), None),
    ]


def _row(name: str, waited: Waited, beside: Waited | None) -> Row:
    limit = BUDGET_MS + (beside.longest_ms if beside is not None else 0.0)
    other = "–" if beside is None else f"{beside.longest_ms:,.0f} ms"
    cells = (name, f"{waited.longest_ms:,.0f} ms", other, f"{waited.longest_ms / limit:.2f}", f"≤ {limit:,.0f} ms")
    return Row(cells, waited.longest_ms <= limit)


def _beside(database_url: str, seller: Seller, work: Callable[[], None]) -> tuple[Waited, Waited]:
    """Do the work while others write and read; return how long those waited."""
    context = multiprocessing.get_context("spawn")
    ready, stop, answers = context.Barrier(3), context.Event(), context.Queue()
    others = [
        context.Process(target=of, args=(database_url, seller, ready, stop, answers)) for of in (_writing, _reading)
    ]
    for other in others:
        other.start()
    ready.wait()
    try:
        work()
    finally:
        stop.set()
    found: dict[str, Waited] = dict(answers.get(timeout=60) for _ in others)
    for other in others:
        other.join()
    return found["writes"], found["reads"]


def _writing(database_url: str, seller: Seller, ready: Any, stop: Event, answers: Any) -> None:
    bus = open_bus(database_url)

    def write(ids: list[UUID]) -> list[float]:
        took = []
        while not stop.is_set():
            command = ReviseProduct(id=random.choice(ids), values={"license_notes": str(random.random())})  # noqa: S311
            started = time.perf_counter()
            bus.execute(command, seller.context)
            took.append(time.perf_counter() - started)
        return took

    _answer("writes", database_url, seller, WRITERS, write, ready, answers)
    bus.store.close()


def _reading(database_url: str, seller: Seller, ready: Any, stop: Event, answers: Any) -> None:
    def read(ids: list[UUID]) -> list[float]:
        took = []
        with psycopg.connect(database_url, autocommit=True) as connection:
            while not stop.is_set():
                asked = random.sample(ids, 20)
                started = time.perf_counter()
                assert connection.execute(_READ.encode(), [asked]).fetchone() == (20,)
                took.append(time.perf_counter() - started)
        return took

    _answer("reads", database_url, seller, READERS, read, ready, answers)


def _answer(what: str, database_url: str, seller: Seller, threads: int, do: _Do, ready: Any, answers: Any) -> None:
    """Have threads do it as soon as all are ready; send how long they waited."""
    with psycopg.connect(database_url) as connection:
        asked = "SELECT id FROM product_list WHERE organization = %s LIMIT 1000"
        ids = [row[0] for row in connection.execute(asked.encode(), [seller.organization])]
    ready.wait()
    with ThreadPoolExecutor(threads) as pool:
        took = [one for each in pool.map(do, [ids] * threads) for one in each]
    answers.put((what, Waited(len(took), max(took) * 1000)))

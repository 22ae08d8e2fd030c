"""A product as it was: what it costs the API's process to read, decode and fold a long stream up to a position."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

from uuid_utils.compat import uuid7

from bench.report import Row
from commands.store import Store
from domain.event import Change, DomainEvent, Stamp
from domain.product import product as products
from projections.as_of import Moment, product_at
from projections.base import Reader

EVENTS = 1000
ROUNDS = 100
LIMIT_MS = 10.0


def as_of(database_url: str) -> list[Row]:
    """Ask for a product as of its last position, its stream a thousand events long."""
    organization, id = uuid7(), uuid7()
    position = _made(database_url, organization, id)
    cpu_ms, wall_ms = asyncio.run(_measured(database_url, organization, id, position))
    shown = (f"{cpu_ms:.1f} ms of CPU", f"{wall_ms:.1f} ms until it is there", f"{cpu_ms / LIMIT_MS:.2f}")
    name = f"as_of of a product with {EVENTS:,} events"
    return [Row((name, *shown, f"< {LIMIT_MS:g} ms of CPU"), cpu_ms < LIMIT_MS)]


def _made(database_url: str, organization: UUID, id: UUID) -> int:
    """Append the stream, nothing projected; return the position of its last event."""
    start = datetime.now(UTC) - timedelta(seconds=EVENTS)
    first = products.create(id, {"title": "Abbey Road", "type": "physical"}, Stamp(start, organization, "bench", "b"))
    events: list[DomainEvent] = [first]
    product = products.evolve(None, first)
    for number in range(1, EVENTS):
        assert product is not None
        stamp = Stamp(start + timedelta(seconds=number), organization, "bench", "b")
        values = {"marketplace_description": f"Played {number} times.", "tags": ("rock", str(number))}
        [event] = products.revise(product, values, stamp)
        events.append(event)
        product = products.evolve(product, event)
    store = Store(database_url, ())
    try:
        return store.save([Change(id, None, events, product)]).positions[-1]
    finally:
        store.close()


async def _measured(database_url: str, organization: UUID, id: UUID, position: int) -> tuple[float, float]:
    """Return the medians of CPU and of time passed, in milliseconds."""
    spent, passed = [], []
    async with Reader(database_url, size=1) as reader:
        for _ in range(ROUNDS):
            started, cpu = time.perf_counter(), time.process_time()
            found = await product_at(reader, organization, id, Moment(position=position))
            assert found is not None
            assert f"Played {EVENTS - 1} times." in found.document
            spent.append((time.process_time() - cpu) * 1000)
            passed.append((time.perf_counter() - started) * 1000)
    return median(spent), median(passed)

"""The parts, each beside its limit in the same run and in turns, so that the machine's moods cancel out."""

import asyncio
import multiprocessing
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psycopg
import uvloop
from uuid_utils.compat import uuid7

from bench import load, servers
from bench.lives import EVENTS_PER_PRODUCT, live
from bench.pages import LIST
from bench.race import CACHE_OFF
from bench.report import Row, rate, ratio
from bench.sellers import Seller
from bench.stock import stock_alone
from bench.swapping import swapping
from commands.migrate import migrate
from commands.store import Store
from commands.waiting import in_loop
from domain.event import Change, Stamp
from domain.product import product as products
from projections.rebuild import rebuild

ROUNDS = 5
SECONDS = 4.0
CONNECTIONS = 16
WRITERS = 8
LIVED_EVENTS = 1_000_000


def listing(environment: Mapping[str, str], seller: Seller, folder: Path) -> list[Row]:
    """The list's first page beside a handler that answers as many bytes from memory."""
    request = load.get(LIST, seller.key)
    with servers.api(environment, **CACHE_OFF) as api:
        body = b"x" * load.run(api.port, request, seconds=2.0).body_bytes
        with servers.constant(body, folder) as constant:
            load.run(constant.port, load.get("/"), seconds=1.0)
            pairs = [
                (
                    load.run(api.port, request, seconds=SECONDS).per_second,
                    load.run(constant.port, load.get("/"), seconds=SECONDS).per_second,
                )
                for _ in range(ROUNDS)
            ]
        p99 = load.run(api.port, request, seconds=SECONDS).p99_ms
    name = f"list, first page of 15 ({len(body) / 1024:.0f} KiB), no cache, beside a constant handler"
    return [ratio(name, "requests/s", pairs, at_least=0.25, note=f", p99 {p99:.0f} ms")]


def _append_for(database_url: str, seconds: float, counts: "multiprocessing.Queue[int]") -> None:
    counts.put(uvloop.run(_append(database_url, seconds)))


async def _append(database_url: str, seconds: float) -> int:
    """Append events in an event loop as the API does, nothing projected, one transaction each; return how many."""
    organization = uuid7()
    deadline = time.monotonic() + seconds
    made = 0

    def append(store: Store) -> None:
        nonlocal made
        id = uuid7()
        stamp = Stamp(datetime.now(UTC), organization, "bench", "bench")
        event = products.create(id, {"title": "Abbey Road", "type": "physical", "tags": ("rock",)}, stamp)
        store.save([Change(id, None, [event], None)])
        made += 1

    async def write(store: Store) -> None:
        while time.monotonic() < deadline:
            await in_loop(partial(append, store))

    async with Store.opened_in_loop(database_url, (), WRITERS, shared=False) as store:
        await asyncio.gather(*(write(store) for _ in range(WRITERS)))
    return made


def _bare_appends(database_url: str) -> float:
    """Return appends per second of as many processes as the API has, each with as many writers."""
    context = multiprocessing.get_context("spawn")
    counts = context.Queue()
    writers = [
        context.Process(target=_append_for, args=(database_url, SECONDS, counts)) for _ in range(servers.PROCESSES)
    ]
    for writer in writers:
        writer.start()
    total: int = sum(counts.get() for _ in writers)
    for writer in writers:
        writer.join()
    return total / SECONDS


def creating(environment: Mapping[str, str], seller: Seller) -> list[Row]:
    """Creating a product over HTTP, projected and searchable, beside appending its event alone."""
    database_url = environment["DATABASE_URL"]
    body = {"title": "Abbey Road", "type": "physical", "tags": ["rock"], "price_override_usd": "29.99"}
    request = load.post(LIST, seller.key, msgspec.json.encode(body))
    with servers.api(environment) as api:
        load.run(api.port, request, seconds=1.0, status=201)
        pairs = [
            (
                load.run(api.port, request, seconds=SECONDS, connections=CONNECTIONS, status=201).per_second,
                _bare_appends(database_url),
            )
            for _ in range(ROUNDS)
        ]
    name = "create over HTTP beside the bare append of its event (as many processes and writers)"
    return [ratio(name, "creates/s", pairs, at_least=0.5)]


def memory(environment: Mapping[str, str], seller: Seller, requests: int = 100_000) -> list[Row]:
    """Resident memory of the API's processes after many requests beside the same after the first tenth of them."""
    mix = [
        load.get(path, seller.key) for path in (LIST, LIST + "?page=3", LIST + "?ordering=title", "/api/v1/platforms/")
    ]
    with servers.api(environment) as api:
        load.run(api.port, *mix, count=requests // 10)
        before = api.memory_bytes()
        load.run(api.port, *mix, count=requests)
        after = api.memory_bytes()
    value = after / before
    shown = (f"{after / 2**20:.0f} MiB", f"{before / 2**20:.0f} MiB")
    name = f"memory of the API's {servers.PROCESSES} processes after {requests:,} requests beside before"
    return [Row((name, *shown, f"{value:.2f}", "0.9 – 1.1"), 0.9 <= value <= 1.1)]


def rebuilding(database_url: str, seller: Seller) -> list[Row]:
    """Everything that lists show from the log, with its indexes, caught up and swapped in: of the seller's products
    alone, each of them revised once; of a catalogue that has been sold from, a million events; and of the whole run,
    whose every product, item and presence was made and never touched again.
    """
    alone, lives = _database(database_url, "products_alone"), _database(database_url, "lives")
    stock_alone(alone, seller)
    live(lives, seller, round(LIVED_EVENTS / EVENTS_PER_PRODUCT))
    for made in (alone, lives):
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE events")
    return [
        _rebuilt(alone, "rebuild of the product list", 3, 30_000),
        _rebuilt(lives, "rebuild of a whole catalogue that has been sold from", 3, 50_000),
        _rebuilt(database_url, "rebuild of a catalogue with items and presences, none of them ever revised", 1, None),
        *swapping(alone, seller),
    ]


def _database(database_url: str, name: str) -> str:
    """Make a database beside the run's; return where it is."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    made = urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))
    migrate(made)
    return made


def _rebuilt(database_url: str, what: str, rounds: int, at_least: float | None) -> Row:
    rates = []
    for _ in range(rounds):
        started = time.perf_counter()
        rebuilt = rebuild(database_url)
        rates.append(rebuilt.events / (time.perf_counter() - started))
    return rate(f"{what}: {rebuilt.objects:,} products, {rebuilt.events:,} events", "events/s", rates, at_least)

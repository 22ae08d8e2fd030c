"""What it costs to seal the log while it is written, and how fast a sealed one is verified."""

import multiprocessing
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import msgspec
from msgspec.structs import replace

from bench import load, servers
from bench.pages import LIST
from bench.report import Row, rate, ratio
from bench.sellers import Seller
from commands.blobs import Blobs
from commands.seals.key import make_seal_key, seal_key
from commands.seals.sealer import seal_log
from commands.seals.verify import verify
from commands.settings import Settings

ROUNDS = 6
SECONDS = 12.0
CONNECTIONS = 16
EVERY_SECONDS = 5.0
"""Twelve times as often as workers do it by themselves: what is new is sealed either way."""


def sealing(environment: Mapping[str, str], seller: Seller, folder: Path) -> list[Row]:
    """Creates over HTTP while the log is sealed, beside the same while it is not."""
    body = {"title": "Abbey Road", "type": "physical", "tags": ["rock"], "price_override_usd": "29.99"}
    request = load.post(LIST, seller.key, msgspec.json.encode(body))
    _seal_all(settings := _settings(environment, folder))
    pairs = []
    with servers.api(environment) as api:

        def creates() -> float:
            return load.run(api.port, request, seconds=SECONDS, connections=CONNECTIONS, status=201).per_second

        def creates_while_sealed() -> float:
            with _sealing(settings):
                return creates()

        creates()
        for turn in range(ROUNDS):
            # Each comes first as often: the tables grow meanwhile.
            first, second = (creates, creates_while_sealed) if turn % 2 else (creates_while_sealed, creates)
            rates = {first: first(), second: second()}
            _seal_all(settings)
            pairs.append((rates[creates_while_sealed], rates[creates]))
    name = "create over HTTP while the log is sealed every 5 s, beside the same while it is not"
    return [ratio(name, "creates/s", pairs, at_least=0.95)]


def verifying(environment: Mapping[str, str], folder: Path) -> list[Row]:
    """The whole log compared with its seals and those with the anchored ones."""
    settings = _settings(environment, folder)
    started = time.perf_counter()
    sealed = _seal_all(settings)
    rows = []
    if sealed > 100_000:
        each = sealed / (time.perf_counter() - started)
        rows.append(rate(f"sealing of {sealed:,} events that are there already", "events/s", [each], None))
    key = seal_key(settings)
    assert key is not None
    rates = []
    for _ in range(3):
        started = time.perf_counter()
        found = verify(settings, key.public)
        rates.append(found.events / (time.perf_counter() - started))
        assert not found.faults
    return [*rows, rate(f"verify of {found.events:,} events in {found.seals:,} seals", "events/s", rates, 200_000)]


def _settings(environment: Mapping[str, str], folder: Path) -> Settings:
    settings = replace(Settings.load(environment), data=folder)
    make_seal_key(settings)
    return settings


def _seal_all(settings: Settings) -> int:
    blobs, total = Blobs(settings), 0
    try:
        while (sealed := seal_log(settings, blobs)).events:
            total += sealed.events
    finally:
        blobs.close()
    return total


@contextmanager
def _sealing(settings: Settings) -> Iterator[None]:
    """Seal from time to time as a worker does, in a process of its own: this one makes the load."""
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=_seal_from_time_to_time, args=(settings, ready, stop))
    process.start()
    ready.wait()
    try:
        yield
    finally:
        stop.set()
        process.join()


def _seal_from_time_to_time(settings: Settings, ready: Event, stop: Event) -> None:
    blobs = Blobs(settings)
    seal_log(settings, blobs)
    ready.set()
    while not stop.wait(EVERY_SECONDS):
        seal_log(settings, blobs)
    blobs.close()

"""Marketplaces: what one full pass over ten thousand listings costs a worker."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import psycopg
from uuid_utils.compat import uuid7

from api.cli_database import opened_store
from bench import servers
from bench.listings import stock
from bench.report import Row
from bench.sellers import Seller
from commands.bus import Bus
from commands.connection import CreateConnection, NoteVerified
from commands.vault import Vault
from sandbox.clock import Clock
from sandbox.discogs import Discogs
from sandbox.ebay import Ebay
from sandbox.ebay_tokens import SCOPE
from sandbox.server import serving

ON_EACH = 5_000
WANTED_SECONDS = 60.0
_LATEST_SECONDS = 900.0
_EBAY, _DISCOGS = "plat_ebay", "plat_discogs"
_LEFT = """
SELECT count(*) FROM listing
WHERE organization = %s AND is_enabled AND due IS NOT NULL AND (checked IS NULL OR checked < %s)
"""


def syncing(environment: Mapping[str, str], seller: Seller) -> list[Row]:
    """Have all listings due at once, and count the worker's CPU seconds until the last is checked."""
    ebay, discogs = Ebay(Clock()), Discogs(Clock())
    with serving(ebay) as ebay_server, serving(discogs) as discogs_server:
        there = {"EBAY_API_URL": ebay_server.url, "DISCOGS_API_URL": discogs_server.url}
        database_url = environment["DATABASE_URL"]
        _connect(database_url, seller, ebay, discogs)
        # First they are found, then the bench begins.
        with _working({**environment, **there}) as worker, psycopg.connect(database_url, autocommit=True) as connection:
            _pass(connection, seller, worker)
            seconds = _pass(connection, seller, worker)
        wrong = {**ebay.violations, **discogs.violations}
        assert not wrong, wrong
    name = f"one full pass over {2 * ON_EACH:,} listings on 2 marketplaces, CPU of the worker"
    cells = (name, f"{seconds:.1f} s", "–", f"{seconds / WANTED_SECONDS:.2f}", f"≤ {WANTED_SECONDS:g} s")
    return [Row(cells, seconds <= WANTED_SECONDS)]


def _connect(database_url: str, seller: Seller, ebay: Ebay, discogs: Discogs) -> None:
    consent = ebay.tokens.granted(frozenset({f"{SCOPE}/sell.inventory", f"{SCOPE}/sell.fulfillment"}))
    secrets = {_EBAY: {"refresh_token": consent}, _DISCOGS: {"token": discogs.token}}
    vault = Vault(servers.SECRET)
    # What the seller has besides is not at these servers, where each would be looked for by itself.
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE listing SET is_enabled = false WHERE organization = %s", [seller.organization])
    with opened_store(database_url) as store:
        bus = Bus(store)
        for platform, currency in ((_EBAY, "USD"), (_DISCOGS, "EUR")):
            id = uuid7()
            values = {
                "platform_uid": platform,
                "interval_minutes": 1_440,
                "push_prices": False,
                "auto_delist": False,
                "markup_percent": 0,
            }
            bus.execute(
                CreateConnection(id=id, values=values, sealed=vault.seal(id, secrets[platform])), seller.context
            )
            bus.execute(NoteVerified(id=id), seller.context)
            skus = [f"BENCH-{platform}-{number}" for number in range(ON_EACH)]
            listings = [
                str(ebay.shop.add({"sku": sku})["listingId"] if platform == _EBAY else discogs.shop.add({})["id"])
                for sku in skus
            ]
            stock(bus, seller.context, platform, currency, zip(listings, skus, strict=True))


def _pass(connection: psycopg.Connection, seller: Seller, worker: psutil.Process) -> float:
    """Return the CPU seconds until every listing was checked."""
    began, before = datetime.now(UTC), _spent(worker)
    connection.execute("UPDATE listing SET due = now() WHERE organization = %s", [seller.organization])
    connection.execute("UPDATE todo SET due = now() WHERE kind = 'round' AND organization = %s", [seller.organization])
    connection.execute("NOTIFY todo")
    deadline = time.monotonic() + _LATEST_SECONDS
    while connection.execute(_LEFT, [seller.organization, began]).fetchone() != (0,):
        assert time.monotonic() < deadline, "listings are left"
        time.sleep(0.5)
    return _spent(worker) - before


def _spent(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _working(environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    given = {
        "DEADWAX_LOG_LEVEL": "error",
        "DEADWAX_SECRET_KEY": servers.SECRET,
        "DEADWAX_WORKER_PROCESSES": "1",
        "EBAY_CLIENT_ID": "client-id",
        "EBAY_CLIENT_SECRET": "client-secret",
        "EBAY_RU_NAME": "Deadwax-RuName",
    }
    process = subprocess.Popen([sys.executable, "-m", "workers.main"], env={**os.environ, **environment, **given})
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()

"""Fulfilment: how long it takes from the request to the mail that the mail server has taken over."""

import asyncio
import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import quantiles
from typing import Any
from uuid import UUID

import msgspec
from aiosmtpd.smtp import SMTP
from uuid_utils.compat import uuid7

from api.cli_database import opened_store
from bench import servers
from bench.report import Row
from bench.sellers import Seller
from commands.asset import CreateAsset
from commands.bus import Bus
from commands.product import CreateProduct
from domain import ids

PER_SECOND = 20
SECONDS = 30
PROCESSES = 2
WARM_UP = 20
WANTED_SECONDS = 1.0
_PATH = "/api/v1/digital/fulfill/"


def mailing(environment: Mapping[str, str], seller: Seller) -> list[Row]:
    """Sell so many a second, whatever the answers take, to a mail server on loopback."""
    product = ids.uid(ids.PRODUCT, _product(environment["DATABASE_URL"], seller))
    body = msgspec.json.encode({"product_uid": product, "buyer_email": "buyer@example.com"})
    with _mail_server() as (port, taken), servers.api(environment) as api, _working(environment, port):
        _sell(api.port, seller.key, body, WARM_UP, taken)
        seconds = sorted(_sell(api.port, seller.key, body, PER_SECOND * SECONDS, taken))
    p95 = quantiles(seconds, n=100)[94]
    name = f"fulfil until the mail server has the mail, {PER_SECOND} purchases/s for {SECONDS} s, p95"
    cells = (name, f"{p95 * 1000:,.0f} ms", "–", f"{p95 / WANTED_SECONDS:.2f}", f"< {WANTED_SECONDS:g} s")
    return [Row(cells, p95 < WANTED_SECONDS)]


def _sell(port: int, key: str, body: bytes, count: int, taken: dict[str, float]) -> list[float]:
    """Return how many seconds each mail took, once all have arrived."""
    began = time.perf_counter()
    connections = threading.local()

    def sell(number: int) -> tuple[str, float]:
        time.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        if not hasattr(connections, "own"):
            connections.own = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        started = time.perf_counter()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connections.own.request("POST", _PATH, body, headers)
        response = connections.own.getresponse()
        answer = response.read()
        assert response.status == 201, answer
        return msgspec.json.decode(answer)["uid"], started

    with ThreadPoolExecutor(PER_SECOND) as pool:
        sold = list(pool.map(sell, range(count)))
    deadline = time.perf_counter() + 60
    while any(uid not in taken for uid, _ in sold):
        assert time.perf_counter() < deadline, "mails are missing"
        time.sleep(0.05)
    return [taken[uid] - started for uid, started in sold]


def _product(database_url: str, seller: Seller) -> UUID:
    id, asset = uuid7(), uuid7()
    file = {"filename": "Kit.zip", "content_type": "application/zip", "size_bytes": 12, "sha256": "0" * 64}
    blob = f"{seller.organization}/assets/{asset.hex}/file"
    with opened_store(database_url) as store:
        bus = Bus(store)
        bus.execute(CreateProduct(id=id, values={"title": "Kit", "type": "digital"}), seller.context)
        bus.execute(CreateAsset(id=asset, product=id, values={**file, "blob": blob}), seller.context)
    return UUID(int=id.int)


@contextmanager
def _mail_server() -> Iterator[tuple[int, dict[str, float]]]:
    """Give the port, and when each purchase's mail was taken over, by its uid."""
    taken: dict[str, float] = {}
    loop = asyncio.new_event_loop()

    class Sink:
        async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
            head: bytes = envelope.content.partition(b"\nMessage-ID: <")[2]
            taken[head.partition(b".")[0].decode()] = time.perf_counter()
            return "250 taken"

    server = loop.run_until_complete(loop.create_server(lambda: SMTP(Sink(), loop=loop), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], taken
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()


@contextmanager
def _working(environment: Mapping[str, str], smtp_port: int) -> Iterator[None]:
    given = {
        "DEADWAX_LOG_LEVEL": "error",
        "DEADWAX_SECRET_KEY": servers.SECRET,
        "DEADWAX_WORKER_PROCESSES": str(PROCESSES),
        "SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
        "PUBLIC_URL": "https://shop.example",
        "MAIL_FROM": "mail@shop.example",
    }
    process = subprocess.Popen([sys.executable, "-m", "workers.main"], env={**os.environ, **environment, **given})
    try:
        yield
    finally:
        process.terminate()
        process.wait()

"""Downloads: one large file through the API beside the same from the S3 server, and many buyers beside the list."""

import asyncio
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import uvloop
from uuid_utils.compat import uuid7

from bench import load, servers
from bench.pages import LIST
from bench.race import CACHE_OFF
from bench.report import Row, ratio
from bench.sellers import Seller
from commands.asset import CreateAsset
from commands.blobs import Blobs
from commands.bus import Bus
from commands.product import CreateProduct
from commands.purchase import Fulfill
from commands.settings import Settings
from commands.store import Store
from commands.tokens import digest_of, download_token
from domain import ids
from projections.inline import inline_projections
from projections.purchase_document import DOWNLOAD_PATH

SIZE_BYTES = 1024**3
ROUNDS = 3
BUYERS = 50
BUYER_BYTES_PER_SECOND = 1024**2
"""What a line of 8 Mbit/s takes; all of them together are half a gigabit."""
LIST_CONNECTIONS = 4
SECONDS = 8.0
_PIECE_BYTES = 1 << 18


class _Sold(NamedTuple):
    """Where the file is: its path at the API, and its address at the S3 server."""

    path: str
    url: str


def downloading(environment: Mapping[str, str], reader: Seller, seller: Seller) -> list[Row]:
    settings = Settings.load(environment)
    with closing(Blobs(settings)) as blobs:
        sold = _sell(settings, blobs, seller)
        with servers.api(environment, **CACHE_OFF) as api:
            _fetch("127.0.0.1", api.port, sold.path)
            pairs = [(_fetch("127.0.0.1", api.port, sold.path), _direct(sold.url)) for _ in range(ROUNDS)]
            rows = [ratio("download of a 1 GiB file beside the S3 server itself", "MiB/s", pairs, at_least=0.5)]
            return rows + _beside(api, sold, reader)


def _sell(settings: Settings, blobs: Blobs, seller: Seller) -> _Sold:
    """Put the file into the bucket and sell it."""
    product, asset, purchase = uuid7(), uuid7(), uuid7()
    blob = f"{seller.organization}/assets/{asset.hex}/file"
    with tempfile.TemporaryFile() as file:
        file.truncate(SIZE_BYTES)
        blobs.put(blob, file, SIZE_BYTES)
    facts = {"filename": "large.wav", "content_type": "audio/wav", "size_bytes": SIZE_BYTES, "sha256": "0" * 64}
    digest = digest_of(download_token(servers.SECRET, purchase))
    commands: list[Any] = [
        CreateProduct(id=product, values={"title": "Abbey Road", "type": "digital"}),
        CreateAsset(id=asset, product=product, values={**facts, "blob": blob}),
        Fulfill(id=purchase, product=product, email="buyer@example.com", token_digest=digest),
    ]
    with closing(Store(settings.database_url, inline_projections(), 1)) as store:
        for command in commands:
            Bus(store).execute(command, seller.context)
    path = f"{DOWNLOAD_PATH}/{download_token(servers.SECRET, purchase)}/{ids.uid(ids.ASSET, asset)}/"
    return _Sold(path, blobs.download_url(blob, 3600, "attachment", "audio/wav"))


def _direct(url: str) -> float:
    parts = urlsplit(url)
    return _fetch(parts.hostname or "", parts.port or 80, f"{parts.path}?{parts.query}", parts.netloc)


def _fetch(host: str, port: int, path: str, name: str = "bench.example") -> float:
    """Read the whole file; return MiB/s."""
    buffer = memoryview(bytearray(1 << 20))
    started = time.perf_counter()
    with socket.create_connection((host, port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        received = 0
        while size := connection.recv_into(buffer):
            received += size
    if received < SIZE_BYTES:
        raise RuntimeError(f"{host} broke off after {received:,} bytes")
    return SIZE_BYTES / 2**20 / (time.perf_counter() - started)


def _beside(api: servers.Server, sold: _Sold, reader: Seller) -> list[Row]:
    """Measure memory and the list's times with so many downloads under way, and without."""
    request = load.get(LIST, reader.key)

    def p99() -> float:
        return load.run(api.port, request, seconds=SECONDS, connections=LIST_CONNECTIONS).p99_ms

    p99()
    alone, without = p99(), api.memory_bytes()
    with _buying(api.port, sold.path):
        time.sleep(SECONDS / 2)
        begun = api.memory_bytes()
        busy = p99()
        ended = api.memory_bytes()
    at_once = f"{BUYERS} downloads at once, {BUYER_BYTES_PER_SECOND / 2**20:g} MiB/s each"
    return [
        _at_most(f"list's p99 beside {at_once}", "ms", busy, alone, 2.0),
        _at_most(f"memory of the API with {at_once}, beside none", "MiB", begun / 2**20, without / 2**20, 2.0),
        _at_most(f"the same {SECONDS:g} s later, beside then", "MiB", ended / 2**20, begun / 2**20, 1.1),
    ]


def _at_most(name: str, unit: str, with_buyers: float, alone: float, limit: float) -> Row:
    value = with_buyers / alone
    return Row(
        (name, f"{with_buyers:.1f} {unit}", f"{alone:.1f} {unit}", f"{value:.2f}", f"≤ {limit:g}"), value <= limit
    )


@contextmanager
def _buying(port: int, path: str) -> Iterator[None]:
    """Have a process of its own download, over and over."""
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    process = context.Process(target=_buy, args=(port, path, begun), daemon=True)
    process.start()
    try:
        if not begun.wait(60):
            raise RuntimeError("the downloads did not begin")
        time.sleep(1.0)
        yield
    finally:
        process.kill()
        process.join()


def _buy(port: int, path: str, begun: Any) -> None:
    uvloop.run(_buyers(port, path, begun))


async def _buyers(port: int, path: str, begun: Any) -> None:
    waiting = BUYERS

    async def buy() -> None:
        nonlocal waiting
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_PIECE_BYTES)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench.example\r\n\r\n".encode())
        received, started = len(await reader.readexactly(1)), time.monotonic()
        waiting -= 1
        if not waiting:
            begun.set()
        while piece := await reader.read(_PIECE_BYTES):
            received += len(piece)
            await asyncio.sleep(max(0.0, received / BUYER_BYTES_PER_SECOND - (time.monotonic() - started)))

    await asyncio.gather(*(buy() for _ in range(BUYERS)))

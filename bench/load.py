"""A load generator: keep-alive connections that each send a request as soon as the last answer is in."""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import NamedTuple, cast

import uvloop


class Load(NamedTuple):
    """What came of it: answers per second, times of one answer in milliseconds, and the size of the last body."""

    per_second: float
    p50_ms: float
    p99_ms: float
    body_bytes: int


class LoadError(Exception):
    """The server answered something else than was measured."""


def get(path: str, key: str | None = None) -> bytes:
    return _head("GET", path, key) + b"\r\n"


def post(path: str, key: str, body: bytes) -> bytes:
    return send("POST", path, key, body)


def send(method: str, path: str, key: str, body: bytes) -> bytes:
    head = _head(method, path, key)
    return head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _head(method: str, path: str, key: str | None) -> bytes:
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    return f"{method} {path} HTTP/1.1\r\nHost: bench.example\r\n{authorization}".encode()


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], expected: bytes, done: Callable[[float, int], bool]) -> None:
        self._requests = requests
        self._expected = b"HTTP/1.1 " + expected
        self._done = done
        self._head = b""
        self._missing = 0
        self._length = 0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._head[:end].lower()
            if not self._head.startswith(self._expected):
                self.closed.set_exception(LoadError(self._head[:500].decode(errors="replace")))
                self._transport.close()
                return
            self._length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            self._missing = end + 4 + self._length - len(self._head)
            self._head = b""
        if self._missing == 0:
            if self._done(time.perf_counter() - self._started, self._length):
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_exception(exc) if exc else self.closed.set_result(None)


def run(
    port: int,
    *requests: bytes,
    seconds: float = 5.0,
    connections: int = 16,
    status: int = 200,
    count: int | None = None,
) -> Load:
    """Send the requests in turn for so many seconds, or `count` of them. Raises LoadError for another status."""
    return uvloop.run(_run(port, cycle(requests), seconds, connections, str(status).encode(), count))


async def _run(
    port: int, requests: Iterator[bytes], seconds: float, connections: int, status: bytes, count: int | None
) -> Load:
    times: list[float] = []
    sizes = [0]
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    deadline = float("inf") if count is not None else started + seconds

    def done(elapsed: float, size: int) -> bool:
        times.append(elapsed)
        sizes[0] = size
        return len(times) < count if count is not None else time.perf_counter() < deadline

    made = [
        await loop.create_connection(lambda: _Connection(requests, status, done), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.closed for _, protocol in made))
    elapsed = time.perf_counter() - started
    times.sort()
    return Load(len(times) / elapsed, times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000, sizes[0])

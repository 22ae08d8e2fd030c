"""Answers that are files: streamed from the bucket, named for every alphabet."""

import asyncio
import contextlib
import re
import time
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from urllib.parse import quote

from litestar.types import Receive, Scope, Send

from api.answers import Header
from api.requests import disconnected
from commands.blobs import Blobs
from domain.errors import Unavailable

STALLED_SECONDS = 300.0
"""A client that takes nothing for so long is gone, whatever its connection says."""
REOPENED, REOPEN_SECONDS = 3, 0.2
"""How often a blob is opened again without a byte in between, and the pause before that, longer each time."""
_NOT_PLAIN = re.compile(r'[^\x20-\x7e]|["\\%]')
# Control characters, line and paragraph separators, and what separates the parts of a path.
_NOT_OF_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029/\\\\]")


def clean_name(filename: str) -> str:
    """Return the name without what no file's name may hold; a name that is nothing then is "file"."""
    name = _NOT_OF_NAMES.sub("", filename)
    return name if name.strip(" .") else "file"


def attachment(filename: str) -> Header:
    """Return the header that has a browser keep the file under this name (RFC 6266)."""
    name = clean_name(filename)
    # Without their accents letters are plain; what has none becomes a line.
    letters = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    plain = _NOT_PLAIN.sub("_", letters)
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return b"content-disposition", value.encode()


async def _nobody(_: int) -> None:
    pass


class FileAnswer:
    """An ASGI response whose body is made chunk by chunk in other threads, the next one while the last is on its way.

    A client that is slow holds no thread. One that leaves, or takes nothing for long, ends it. `noted` gets how many
    bytes the client's connection took, however it ended.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        threads: Executor,
        headers: Iterable[Header],
        status: int = 200,
        noted: Callable[[int], Awaitable[None]] = _nobody,
        patience_seconds: float = STALLED_SECONDS,
    ) -> None:
        self._chunks = chunks
        self._threads = threads
        self._headers = [*headers]
        self._status = status
        self._noted = noted
        self._patience_seconds = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        gone = asyncio.create_task(disconnected(receive))
        sent = 0
        try:
            async with aclosing(self._each()) as chunks:
                # Nothing is read for a HEAD.
                while not scope["state"]["is_head"] and (chunk := await anext(chunks, None)) is not None:
                    async with asyncio.timeout(self._patience_seconds):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    if gone.done():
                        return
                    sent += len(chunk)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return
        finally:
            gone.cancel()
            await asyncio.shield(self._noted(sent))

    async def _each(self) -> AsyncGenerator[bytes, None]:
        reading = self._threads.submit(next, self._chunks, None)
        try:
            while (chunk := await asyncio.wrap_future(reading)) is not None:
                reading = self._threads.submit(next, self._chunks, None)
                yield chunk
        finally:
            # What is being read cannot be closed before that is over.
            reading.cancel()
            reading.add_done_callback(lambda _: close(self._chunks))


def close(chunks: Iterator[bytes]) -> None:
    """Give up what is read from, where it is anything that can be."""
    if (closed := getattr(chunks, "close", None)) is not None:
        closed()


class BlobReading(Iterator[bytes]):
    """The bytes of a blob from `start` up to `end`, for threads. Where the server breaks off, as it does with a reader
    that was slow, the rest is asked for anew. It is open once it is made. Raises NotFound and Unavailable then, and
    Unavailable later."""

    def __init__(self, blobs: Blobs, key: str, start: int, end: int) -> None:
        self._blobs = blobs
        self._key = key
        self._at = start
        self._end = end
        self._failures = 0
        self._chunks = blobs.get(key, start, end - start)
        self._first = next(self._chunks, b"")

    def __next__(self) -> bytes:
        if self._at >= self._end:
            raise StopIteration
        chunk, self._first = self._first, b""
        while not chunk and not (chunk := self._read()):
            self._reopen()
        self._at += len(chunk)
        self._failures = 0
        return chunk

    def _read(self) -> bytes:
        """Return the next chunk, nothing where the server gives none."""
        with contextlib.suppress(Unavailable):
            return next(self._chunks, b"")
        return b""

    def _reopen(self) -> None:
        self._failures += 1
        if self._failures > REOPENED:
            raise Unavailable
        time.sleep(REOPEN_SECONDS * self._failures)
        with contextlib.suppress(Unavailable):
            self._chunks = self._blobs.get(self._key, self._at, self._end - self._at)

    def close(self) -> None:
        close(self._chunks)

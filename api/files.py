"""Answers that are files: streamed from the bucket, named for every alphabet."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Executor
from urllib.parse import quote

from litestar.types import Receive, Scope, Send

from api.answers import Header

_NOT_PLAIN = re.compile(r'[^\x20-\x7e]|["\\%]')


def attachment(filename: str) -> Header:
    """Return the header that has a browser keep the file under this name (RFC 6266). The name is clean already."""
    plain = _NOT_PLAIN.sub("_", filename)
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
    return b"content-disposition", value.encode()


class FileAnswer:
    """An ASGI response whose body is made chunk by chunk in other threads."""

    def __init__(
        self, chunks: Iterator[bytes], threads: Executor, headers: Iterable[Header], status: int = 200
    ) -> None:
        self._chunks = chunks
        self._threads = threads
        self._headers = [*headers]
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        async for chunk in self._each():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _each(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while (chunk := await loop.run_in_executor(self._threads, next, self._chunks, None)) is not None:
            yield chunk

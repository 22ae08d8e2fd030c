import asyncio
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.files import BlobReading, FileAnswer
from commands.blobs import CHUNK_BYTES, Blobs
from commands.settings import Settings
from domain.errors import Unavailable

pytestmark = pytest.mark.anyio


class Chunks(Iterator[bytes]):
    """A hundred chunks that count themselves and know whether they were given up."""

    def __init__(self) -> None:
        self.read = 0
        self.is_closed = threading.Event()

    def __next__(self) -> bytes:
        if self.read == 100:
            raise StopIteration
        self.read += 1
        return b"x" * 10

    def close(self) -> None:
        self.is_closed.set()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as found:
        yield found


class Client:
    """The server's side of a client that takes `takes` messages, and then leaves or takes nothing more."""

    def __init__(self, takes: int, *, leaves: bool) -> None:
        self.taken: list[bytes] = []
        self._takes = takes
        self._leaves = leaves
        self._gone = asyncio.Event()

    async def send(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            return
        if len(self.taken) < self._takes:
            self.taken.append(message["body"])
        elif self._leaves:
            self._gone.set()
            await asyncio.sleep(0)
        else:
            await asyncio.Event().wait()

    async def receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}


async def answered(client: Client, chunks: Iterator[bytes], thread: ThreadPoolExecutor, **options: Any) -> int:
    """Answer the client; return how many bytes were noted as sent."""
    noted: list[int] = []

    async def note(sent: int) -> None:
        noted.append(sent)

    answer = FileAnswer(chunks, thread, [], noted=note, **options)
    scope: Any = {"type": "http", "state": {"is_head": False}}
    await answer(scope, client.receive, client.send)
    [sent] = noted
    return sent


async def test_a_client_that_leaves_ends_the_reading(thread: ThreadPoolExecutor) -> None:
    chunks, client = Chunks(), Client(3, leaves=True)
    assert await answered(client, chunks, thread) == 30
    assert await asyncio.to_thread(chunks.is_closed.wait, 5)
    assert chunks.read <= 5


async def test_a_client_that_takes_nothing_holds_no_thread_and_is_given_up(thread: ThreadPoolExecutor) -> None:
    chunks, client = Chunks(), Client(3, leaves=False)
    waiting = asyncio.create_task(answered(client, chunks, thread, patience_seconds=0.5))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    # The one thread is free: what another one wants is done meanwhile.
    assert await asyncio.wait_for(asyncio.wrap_future(thread.submit(lambda: "free")), 0.2) == "free"
    assert chunks.read == 5, "the one that waits to be taken, and one ahead"
    assert await waiting == 30
    assert chunks.is_closed.is_set()


async def test_a_client_that_takes_all_gets_all(thread: ThreadPoolExecutor) -> None:
    client = Client(1000, leaves=False)
    assert await answered(client, Chunks(), thread) == 1000
    assert b"".join(client.taken) == b"x" * 1000


async def test_what_fails_breaks_off_and_is_noted(thread: ThreadPoolExecutor) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"some"
        raise Unavailable

    noted: list[int] = []

    async def note(sent: int) -> None:
        noted.append(sent)

    client = Client(1000, leaves=False)
    scope: Any = {"type": "http", "state": {"is_head": False}}
    with pytest.raises(Unavailable):
        await FileAnswer(chunks(), thread, [], noted=note)(scope, client.receive, client.send)
    assert (noted, client.taken) == ([4], [b"some"])


class Faltering(Blobs):
    """Breaks off every read after two chunks, and refuses to be opened again as often as it is told to."""

    def __init__(self, settings: Settings, refusals: int = 0) -> None:
        super().__init__(settings)
        self.opened: list[int] = []
        self._refusals = refusals

    def get(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if self.opened and self._refusals:
            self._refusals -= 1
            raise Unavailable
        found = super().get(key, offset, length)
        self.opened.append(offset)

        def chunks() -> Iterator[bytes]:
            yield next(found)
            yield next(found)
            raise Unavailable

        return chunks()


def test_what_the_server_breaks_off_goes_on_where_it_was(s3: Settings) -> None:
    content = bytes(range(256)) * (CHUNK_BYTES // 256) * 5
    blobs = Faltering(s3, refusals=2)
    blobs.put("x", io.BytesIO(content), len(content))
    assert b"".join(BlobReading(blobs, "x", 7, len(content) - 7)) == content[7:-7]
    assert len(blobs.opened) == 3
    blobs.close()


def test_a_server_that_stays_away_is_not_waited_for(s3: Settings) -> None:
    blobs = Faltering(s3, refusals=100)
    blobs.put("x", io.BytesIO(bytes(3 * CHUNK_BYTES)), 3 * CHUNK_BYTES)
    with pytest.raises(Unavailable):
        list(BlobReading(blobs, "x", 0, 3 * CHUNK_BYTES))
    blobs.close()

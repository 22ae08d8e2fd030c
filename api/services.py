"""What the handlers of one process share, opened with the app and closed with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct

from api.addresses import Addresses
from api.limits import Limits
from api.outside import Outside
from api.page_cache import PageCache
from api.requests import ApiRequest, request_id
from api.uses import Uses
from commands.blobs import Blobs
from commands.bus import Bus
from commands.recorder import Guard
from commands.save import Receipt, Replayed, Saved
from commands.settings import Settings
from commands.tokens import download_token
from commands.waiting import in_loop
from commands.work import Context
from domain.errors import Busy
from projections.base import Reader
from projections.documents import fill
from projections.organizations import Gate
from projections.purchase_document import fill_tokens
from projections.tail import Tail

T = TypeVar("T")
TURN_SECONDS = 5.0
PICTURE_TURN_SECONDS = UPLOAD_TURN_SECONDS = 20.0


class Services(Struct, frozen=True, kw_only=True):
    """`turns` are as many as the write pool has connections: a command waits for its turn, not for a connection.

    `threads` are for files alone, whose client library blocks; `download_threads` read those that buyers download, so
    that however many do, pictures and imports go on. Those that begin have `opening_turns`, a half of the turns: many
    of one purchase come one after the other, and what others write is not to wait for them. A picture takes much
    memory, so one has its turn, and `uploads` are as many files as may be on their way at once, each with two parts in
    memory.
    """

    settings: Settings
    addresses: Addresses
    reader: Reader
    gate: Gate
    bus: Bus
    blobs: Blobs
    limits: Limits
    pages: PageCache
    uses: Uses
    tail: Tail
    outside: Outside
    threads: ThreadPoolExecutor
    download_threads: ThreadPoolExecutor
    turns: asyncio.Semaphore
    opening_turns: asyncio.Semaphore
    picture_turn: asyncio.Semaphore
    uploads: asyncio.Semaphore

    def fill(self, request: ApiRequest, text: str) -> bytes:
        """Close the holes of a document, or of many in a row, as this request's answer shows them."""
        body = fill(text, self.addresses.base_url(request.scope), self.settings.media_base_url)
        return fill_tokens(body, partial(download_token, self.settings.secret_key))

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def in_download_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.download_threads, work)

    async def execute(
        self, request: ApiRequest, command: Any, *, receipt: Receipt | None = None, guard: Guard | None = None
    ) -> Saved:
        """Run one command for the caller. Raises what Bus.execute raises; Replayed also before it runs."""
        caller = request.auth
        context = Context(caller.organization, caller.actor, request_id(request.scope))

        def work() -> Saved:
            if receipt is not None:
                self._unless_answered(receipt)
            return self.bus.execute(command, context, receipt=receipt, guard=guard)

        return await self.in_turn(work)

    async def unless_answered(self, receipt: Receipt | None) -> None:
        """Raise Replayed where the receipt's key has been answered, IdempotencyMismatch where another request was."""
        if receipt is not None:
            await self.in_turn(lambda: self._unless_answered(receipt))

    def _unless_answered(self, receipt: Receipt) -> None:
        if (first := self.bus.store.receipt(*receipt[:3])) is not None:
            raise Replayed(first)

    async def in_turn(self, work: Callable[[], T]) -> T:
        """Run what writes. Raises Busy."""
        await _take(self.turns, TURN_SECONDS, "Too many writes at once. Try again.")
        try:
            return await in_loop(work)
        finally:
            self.turns.release()

    async def one_picture(self, work: Callable[[], T]) -> T:
        """Run what decodes a picture, in a thread. Raises Busy."""
        await _take(self.picture_turn, PICTURE_TURN_SECONDS, "Too many pictures at once. Try again.")
        try:
            return await self.in_thread(work)
        finally:
            self.picture_turn.release()

    @asynccontextmanager
    async def one_upload(self) -> AsyncIterator[None]:
        """Give room for a file that is sent on while it arrives. Raises Busy."""
        await _take(self.uploads, UPLOAD_TURN_SECONDS, "Too many uploads at once. Try again.")
        try:
            yield
        finally:
            self.uploads.release()


async def _take(turns: asyncio.Semaphore, seconds: float, refusal: str) -> None:
    """Raises Busy where the turn does not come: a client waits seconds, not for all that wait before it."""
    try:
        async with asyncio.timeout(seconds if turns.locked() else None):
            await turns.acquire()
    except TimeoutError as error:
        raise Busy(refusal) from error


def services(request: ApiRequest) -> Services:
    found: Services = request.app.state.services
    return found

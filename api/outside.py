"""What the API itself asks of marketplaces: little, and never for long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from commands.discogs_oauth import DiscogsOAuth
from commands.ebay_application import EbayApplication, NoToken
from commands.ebay_signature import NoKey, PublicKey
from commands.settings import Settings
from commands.web import Unreachable, Unreadable, Web
from domain.errors import Busy, Unavailable
from projections import notification
from projections.base import Reader

T = TypeVar("T")
ANSWER_SECONDS = 8.0
WHOLE_SECONDS = 10.0
THREADS = 4
TURN_SECONDS = 2.0
_LOOK_SECONDS = 0.1
_NO_KEY = "The key that this is signed with cannot be fetched right now."


class Outside:
    """Threads of its own: nothing else waits where a marketplace is slow. An answer takes `whole_seconds` at most;
    so long as `turn_seconds` is a turn waited for.
    """

    def __init__(
        self, settings: Settings, *, whole_seconds: float = WHOLE_SECONDS, turn_seconds: float = TURN_SECONDS
    ) -> None:
        self._whole_seconds = whole_seconds
        self._turn_seconds = turn_seconds
        self._web = Web(ANSWER_SECONDS)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="outside")
        self._turns = asyncio.Semaphore(THREADS)
        self._application = EbayApplication(self._web, settings)
        self.discogs = DiscogsOAuth(self._web, settings)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._web.close()

    async def ask(self, work: Callable[[], T]) -> T:
        """Run what asks. Raises Busy where too many do, Unreachable where it takes too long."""
        try:
            async with asyncio.timeout(self._turn_seconds):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Busy("Too much is asked of marketplaces at once. Try again.") from error
        asking = self._threads.submit(work)
        # The turn is the thread's: one that is given up has it until it ends.
        loop = asyncio.get_running_loop()
        asking.add_done_callback(lambda _: _in(loop, self._turns.release))
        try:
            async with asyncio.timeout(self._whole_seconds):
                return await asyncio.wrap_future(asking)
        except TimeoutError as error:
            raise Unreachable("No answer came in time.") from error

    async def key(self, reader: Reader, kid: str) -> PublicKey | None:
        """Return a key of eBay's; None where it has none of this name. Raises Unavailable, Busy."""
        pem = await self._pem(reader, kid)
        return None if pem is None else PublicKey(pem)

    async def _pem(self, reader: Reader, kid: str) -> str | None:
        try:
            async with asyncio.timeout(self._whole_seconds + self._turn_seconds):
                while True:
                    found = await notification.key(reader, kid)
                    match found.verdict:
                        case "known" | "unknown":
                            return found.pem
                        case "ask":
                            return await self._fetched(reader, kid)
                        case "limited":
                            raise Unavailable(_NO_KEY)
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            raise Unavailable(_NO_KEY) from error

    async def _fetched(self, reader: Reader, kid: str) -> str | None:
        try:
            pem = await self.ask(lambda: self._asked_for(kid))
        except (NoToken, NoKey, Unreachable, Unreadable) as error:
            raise Unavailable(_NO_KEY) from error
        await notification.answered(reader, kid, pem)
        return pem

    def _asked_for(self, kid: str) -> str | None:
        reply = self._application.send("GET", f"/commerce/notification/v1/public_key/{kid}")
        if reply.status in {400, 404}:
            return None
        if reply.status != 200:
            raise Unreachable(f"eBay answered with status {reply.status}.")
        answer = reply.json()
        pem = answer.get("key") if isinstance(answer, dict) else None
        if not isinstance(pem, str):
            raise NoKey
        # What is kept is a key: whatever else came is asked for again.
        PublicKey(pem)
        return pem


def _in(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)

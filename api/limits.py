"""Rate limiting: so many requests of one key in any minute, counted over all processes in Redis.

Requests that arrive while one count is under way share the next round trip. Without Redis each process counts for
itself at once: no request waits for it, and none is refused because it is away.
"""

import asyncio
import contextlib
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import NamedTuple
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.errors import Throttled

WINDOW_SECONDS = 60
TIMEOUT_SECONDS = 0.25
PROBE_SECONDS = 1.0
_KEY = "deadwax:rate:"
_log = structlog.get_logger("api.limits")

# A hash of second -> requests granted in it; whole seconds leave the window, so it never grants too much.
_SPEND = """
local now = tonumber(redis.call('TIME')[1])
local asked, limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local seconds = redis.call('HGETALL', KEYS[1])
local used, oldest = 0, now
for i = 1, #seconds, 2 do
  local second = tonumber(seconds[i])
  if second <= now - window then
    redis.call('HDEL', KEYS[1], seconds[i])
  else
    used = used + tonumber(seconds[i + 1])
    if second < oldest then oldest = second end
  end
end
local granted = math.min(asked, math.max(0, limit - used))
if granted > 0 then
  redis.call('HINCRBY', KEYS[1], now, granted)
  redis.call('EXPIRE', KEYS[1], window + 1)
end
return {granted, oldest + window - now}
"""


class Share(NamedTuple):
    """How many of the requests asked for may pass, and when the next one may."""

    granted: int
    wait_seconds: int


class LocalWindow:
    """The same count for this process alone."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._seconds: defaultdict[UUID, deque[list[int]]] = defaultdict(deque)

    def spend(self, key: UUID, asked: int) -> Share:
        now = int(self._clock())
        seconds = self._seconds[key]
        while seconds and seconds[0][0] <= now - WINDOW_SECONDS:
            seconds.popleft()
        granted = min(asked, max(0, self._limit - sum(count for _, count in seconds)))
        if granted:
            if seconds and seconds[-1][0] == now:
                seconds[-1][1] += granted
            else:
                seconds.append([now, granted])
        oldest = seconds[0][0] if seconds else now
        return Share(granted, oldest + WINDOW_SECONDS - now)


class Limits:
    """`per_minute` 0 turns it off, and Redis is never spoken to."""

    def __init__(self, redis_url: str, per_minute: int) -> None:
        self._limit = per_minute
        self._local = LocalWindow(per_minute)
        self._waiting: dict[UUID, list[asyncio.Future[int]]] = {}
        self._running: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._redis: Redis | None = None
        if per_minute and not redis_url.startswith("amqp"):
            self._redis = Redis.from_url(
                redis_url,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                retry=None,
            )

    @property
    def state(self) -> str:
        """Say where requests are counted, for whoever runs this."""
        if not self._limit:
            return "off"
        return "ok" if self._redis is not None and self._probing is None else "away: each process counts for itself"

    async def close(self) -> None:
        for task in (self._running, self._probing):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._redis is not None:
            await self._redis.aclose()

    async def spend(self, key: UUID) -> None:
        """Count one request of the key. Raises Throttled."""
        if not self._limit:
            return
        if self._redis is None or self._probing is not None:
            share = self._local.spend(key, 1)
            wait = 0 if share.granted else share.wait_seconds
        else:
            future = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(key, []).append(future)
            if self._running is None:
                self._running = asyncio.create_task(self._run(self._redis))
            wait = await future
        if wait:
            raise Throttled(wait)

    async def _run(self, redis: Redis) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                _settle(batch, await self._count(redis, batch))
        finally:
            self._running = None

    async def _count(self, redis: Redis, batch: Mapping[UUID, list[asyncio.Future[int]]]) -> list[Share]:
        if self._probing is None:
            try:
                async with asyncio.timeout(2 * TIMEOUT_SECONDS), redis.pipeline(transaction=False) as pipeline:
                    for key, futures in batch.items():
                        pipeline.eval(_SPEND, 1, _KEY + key.hex, len(futures), self._limit, WINDOW_SECONDS)
                    return [Share(*found) for found in await pipeline.execute()]
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("redis is away: each process counts requests for itself", error=type(error).__name__)
                self._probing = asyncio.create_task(self._probe(redis))
        return [self._local.spend(key, len(futures)) for key, futures in batch.items()]

    async def _probe(self, redis: Redis) -> None:
        """Ask until Redis answers again."""
        try:
            while True:
                await asyncio.sleep(PROBE_SECONDS)
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    async with asyncio.timeout(2 * TIMEOUT_SECONDS):
                        await redis.set(f"{_KEY}probe", 1, ex=1)
                    _log.info("redis is back")
                    return
        finally:
            self._probing = None


def _settle(batch: Mapping[UUID, list[asyncio.Future[int]]], shares: list[Share]) -> None:
    for futures, share in zip(batch.values(), shares, strict=True):
        for number, future in enumerate(futures):
            if not future.done():
                future.set_result(0 if number < share.granted else max(1, share.wait_seconds))

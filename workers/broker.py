"""Dramatiq, which carries messages to whoever has a thread free. It does not remember: the to-do list does that."""

from collections.abc import Callable

import dramatiq
import redis
from dramatiq.broker import Broker as DramatiqBroker
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from dramatiq.worker import Worker

from domain.errors import Unavailable

QUEUE = "deadwax"
# Messages of a dead worker are given out again after its last heartbeat; looked for on every command, not on one in a
# thousand, which took a minute and a half.
HEARTBEAT_TIMEOUT_MS = 5_000
MAINTENANCE_CHANCE_PER_MILLION = 1_000_000
DEAD_MESSAGE_TTL_MS = 3_600_000
CONNECT_TIMEOUT_SECONDS = 2.0
ANSWER_TIMEOUT_SECONDS = 5.0
_STOP_MS = 1_500


class Broker:
    """One process's end of one queue, looked at every `poll_ms` while it is empty.

    There is no retry and no time limit here: the to-do list counts attempts.
    """

    def __init__(self, url: str, queue: str, poll_ms: int) -> None:
        self._broker = _connect(url)
        self._queue = queue
        self._poll_ms = poll_ms
        self._actors: dict[str, dramatiq.Actor[..., None]] = {}
        self._worker: Worker | None = None

    def register(self, name: str, function: Callable[..., None]) -> None:
        """Have messages called `name` run `function`. Its arguments are what JSON can hold."""
        actor = dramatiq.actor(actor_name=name, queue_name=self._queue, broker=self._broker)
        self._actors[name] = actor(function)

    def send(self, name: str, *arguments: str) -> None:
        """Raises Unavailable where the broker takes no message."""
        try:
            self._actors[name].send(*arguments)
        except (redis.RedisError, BrokerConnectionError, OSError) as error:
            raise Unavailable("The message broker cannot be reached right now.") from error

    def start(self, threads: int, fetched: int) -> None:
        """Run messages in so many threads of this process. As many as are `fetched` run or wait here for a thread."""
        self._worker = Worker(self._broker, worker_threads=threads, worker_timeout=self._poll_ms)
        self._worker.queue_prefetch = fetched
        self._worker.start()

    def stop(self) -> None:
        """Take no more messages; return when those that run are done, or after a few seconds."""
        if self._worker is not None:
            self._worker.stop(timeout=_STOP_MS)
        self._broker.close()


def _connect(url: str) -> DramatiqBroker:
    if url.startswith("amqp"):
        return RabbitmqBroker(url=url, middleware=[])
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_TIMEOUT_SECONDS, socket_timeout=ANSWER_TIMEOUT_SECONDS
        ),
        middleware=[],
        namespace="deadwax",
        maintenance_chance=MAINTENANCE_CHANCE_PER_MILLION,
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
        dead_message_ttl=DEAD_MESSAGE_TTL_MS,
    )

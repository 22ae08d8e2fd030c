"""The supervisor: embedded engines first, then what needs them, all ended together."""

import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TypeVar

from commands.settings import Settings
from engines.child import Child
from engines.folder import Running, held, publish, unpublish
from engines.postgres import Postgres
from engines.program import Engine, Program
from engines.reach import require_reachable
from engines.s3 import S3
from engines.valkey import Valkey

# Both together stay below the ten seconds that a person waits.
_SERVICES_GRACE_SECONDS, _ENGINES_GRACE_SECONDS = 5.0, 4.0
T = TypeVar("T")


class Supervisor:
    """Runs the embedded engines that `settings` leave to it, and `services` on top of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data.absolute()
        self._running = Running(self._folder)
        self._engines: list[Child] = []
        self._services: list[Child] = []

    def run(
        self,
        prepare: Callable[[dict[str, str]], T] | None = None,
        services: Callable[[dict[str, str]], Sequence[Program]] = lambda _: (),
        serving: Callable[[T | None], None] = lambda _: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve until SIGINT or SIGTERM.

        `check` runs before anything starts, and after what a killed supervisor left has ended.
        `prepare` runs once the engines serve, with the variables that lead to them; `serving` receives its
        result once the services are up too. Raises EngineError (after ending everything) when something
        cannot start, and what `prepare` raises.
        """
        require_reachable(self._settings)
        with held(self._folder):
            ended = self._running.end_leftovers()
            if ended:
                self._say("deadwax", f"took over from a supervisor that was killed and ended its {', '.join(ended)}")
            check()
            asyncio.run(self._run(prepare, services, serving))

    async def _run(
        self,
        prepare: Callable[[dict[str, str]], T] | None,
        services: Callable[[dict[str, str]], Sequence[Program]],
        serving: Callable[[T | None], None],
    ) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        life = asyncio.create_task(self._live(prepare, services, serving))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((life, stopped), return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            await self._stop()
            stopped.cancel()

    async def _live(
        self,
        prepare: Callable[[dict[str, str]], T] | None,
        services: Callable[[dict[str, str]], Sequence[Program]],
        serving: Callable[[T | None], None],
    ) -> None:
        wanted = embedded(self._settings)
        made = await asyncio.gather(*(asyncio.to_thread(engine.prepare, self._folder) for engine in wanted))
        environment = {name: value for _, found in made for name, value in found.items()}
        self._engines = self._children(program for program, _ in made)
        await _all(child.start() for child in self._engines)
        publish(self._folder, environment)
        prepared = await _in_daemon(lambda: prepare(environment)) if prepare else None
        self._services = self._children(services(environment), environment)
        await _all(child.start() for child in self._services)
        serving(prepared)
        await asyncio.Event().wait()

    async def _stop(self) -> None:
        await asyncio.gather(*(child.stop(_SERVICES_GRACE_SECONDS) for child in self._services))
        await asyncio.gather(*(child.stop(_ENGINES_GRACE_SECONDS) for child in self._engines))
        unpublish(self._folder)

    def _children(self, programs: Iterable[Program], environment: dict[str, str] | None = None) -> list[Child]:
        environ = {**os.environ, **(environment or {})}
        return [Child(program, environ, self._say, self._running) for program in programs]

    def _say(self, name: str, line: str) -> None:
        if self._settings.log_format == "json":
            line = line if line.startswith("{") else json.dumps({"origin": name, "event": line})
        else:
            line = f"{name:>8} | {line}"
        with contextlib.suppress(BrokenPipeError):  # who read it has gone: serving goes on
            print(line, flush=True)  # noqa: T201 - it passes the processes' lines on


def embedded(settings: Settings) -> list[Engine]:
    """Return the engines that no URL was given for."""
    engines: list[Engine] = []
    if not settings.database_url:
        engines.append(Postgres())
    if not settings.redis_url:
        engines.append(Valkey())
    if not settings.s3_endpoint_url:
        engines.append(S3(settings.s3_bucket))
    return engines


async def _all(starts: Iterable[Coroutine[object, object, None]]) -> None:
    """Start side by side; raise the first error once each has started or failed, so that none starts later."""
    for outcome in await asyncio.gather(*starts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _in_daemon(work: Callable[[], T]) -> T:
    """Run `work` in a thread that does not keep the process from ending (a migration may wait for a lock)."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            outcome, error = work(), None
        except BaseException as raised:  # noqa: BLE001 - it is raised again, by who awaits
            outcome, error = None, raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, outcome, error)

    threading.Thread(target=run, daemon=True).start()
    return await future

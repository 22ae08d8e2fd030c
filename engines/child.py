"""One supervised process: started, listened to, started again when it dies, ended."""

import asyncio
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping

from engines.folder import Running, end_group
from engines.lifeline import tied
from engines.program import EngineError, Program

_LONGEST_BACKOFF_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_SETTLED_SECONDS = 30.0


class Child:
    """Keeps `program` running until it is told to stop. `say` receives (name, line) of what it prints."""

    def __init__(
        self, program: Program, environ: Mapping[str, str], say: Callable[[str, str], None], running: Running
    ) -> None:
        self.program = program
        self._environ = {**environ, **program.environ}
        self._say = say
        self._running = running
        self._held_back: deque[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Return once it serves. Raises EngineError when it ends before, or takes too long."""
        await self._serve()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self, grace_seconds: float) -> None:
        """End the process and all of its group; by force after `grace_seconds`."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(self.program.stop_signal)
            try:
                await asyncio.wait_for(_ended(process), grace_seconds)
            except TimeoutError:
                self._say(self.program.name, f"does not end within {grace_seconds:.0f} s: killed")
        if process is not None:
            end_group(process.pid)
            await process.wait()
        if self.program.scratch is not None:
            shutil.rmtree(self.program.scratch, ignore_errors=True)
        if self._keeper is not None:
            self._keeper.cancel()

    async def _keep(self) -> None:
        """Start it again whenever it ends, at once at first, then after longer and longer pauses."""
        pause_seconds = 0.1
        while self._process is not None:
            since = time.monotonic()
            code = await _ended(self._process)
            if self._stopping:
                return
            end_group(self._process.pid)
            if time.monotonic() - since > _SETTLED_SECONDS:
                pause_seconds = 0.1
            self._say(self.program.name, f"ended ({_reason(code)}), starts again in {pause_seconds:.1f} s")
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LONGEST_BACKOFF_SECONDS)
            try:
                await self._serve()
                self._say(self.program.name, "is back")
            except EngineError as error:
                self._say("deadwax", str(error))

    async def _serve(self) -> None:
        """Start the process and wait until it serves. What it prints meanwhile is for the case that it does not."""
        self._held_back = deque(maxlen=20)
        await self._spawn()
        deadline = time.monotonic() + self.program.ready_seconds
        while not await asyncio.to_thread(self.program.ready):
            if self._ended():
                raise EngineError(f"{self.program.name} did not start: {await self._last_words()}")
            if time.monotonic() > deadline:
                raise EngineError(f"{self.program.name} does not answer after {self.program.ready_seconds:.0f} s")
            await asyncio.sleep(0.02)
        self._held_back = None

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *tied(self.program.command, self.program.stop_signal, self.program.user),
            cwd=self.program.folder,
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1024**2,
            # A group of its own: Ctrl-C reaches the supervisor alone, and what a child leaves can be ended.
            start_new_session=True,
        )
        self._running.add(self.program.name, self._process.pid)
        self._listener = asyncio.create_task(self._listen(self._process))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than the limit: that much of it is dropped
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            if self._held_back is not None:
                self._held_back.append(text)
            elif text and (self.program.farewell or not self._stopping):
                self._say(self.program.name, text)

    def _ended(self) -> bool:
        return self._process is None or self._process.returncode is not None

    async def _last_words(self) -> str:
        """Return the last line it printed; those before it are passed on for the reader."""
        await self._listener
        lines = [line for line in self._held_back or () if line.strip()]
        for line in lines[:-1]:
            self._say(self.program.name, line)
        return lines[-1].strip() if lines else "it printed nothing"


async def _ended(process: asyncio.subprocess.Process) -> int:
    """Return the code once the process itself has ended: its own wait() goes on while one that it has started, and that
    does not end with it, holds the pipe."""
    while process.returncode is None:  # noqa: ASYNC110 - it has no event of that alone
        await asyncio.sleep(_LOOK_SECONDS)
    return process.returncode


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

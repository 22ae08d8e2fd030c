"""A worker of the tests' own: `python -m tests.faults.worker` knows work that goes wrong, beside all the product's.

Where DEADWAX_FAULT names a method, `module:Class.method:before` or `:after`, the process kills itself there: before its
first call, or after the first that returned anything.
"""

import importlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

from bench.todo_worker import Renaming
from commands import logs
from commands.bus import Bus
from commands.settings import Settings
from workers import kinds
from workers.kinds import Tools
from workers.leases import Lease
from workers.main import serve
from workers.runner import Hopeless, Kind, Postponed

FAULT = "DEADWAX_FAULT"
TOUCH, SLOW, KILLER, BROKEN, POSTPONED, HOPELESS = "touch", "slow", "killer", "broken", "postponed", "hopeless"
SLOW_SECONDS = 3.0
SECRET = "buyer@example.com"


class Slow(Renaming):
    def attempt(self, lease: Lease) -> None:
        until = time.monotonic() + SLOW_SECONDS
        while time.monotonic() < until:
            lease.check()
            time.sleep(0.05)
        super().attempt(lease)


class Raising:
    def __init__(self, error: Exception, _: UUID) -> None:
        self._error = error

    def attempt(self, lease: Lease) -> None:
        raise self._error


class Killer:
    def __init__(self, _: UUID) -> None:
        pass

    def attempt(self, lease: Lease) -> None:
        die()


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def known(tools: Tools) -> list[Kind]:
    bus: Bus = tools.bus
    return [
        *kinds.kinds(tools),
        Kind(TOUCH, partial(Renaming, bus)),
        Kind(SLOW, partial(Slow, bus)),
        Kind(KILLER, Killer),
        Kind(BROKEN, partial(Raising, ValueError(SECRET))),
        Kind(POSTPONED, partial(Raising, Postponed("The moon is in the wrong place."))),
        Kind(HOPELESS, partial(Raising, Hopeless("There is no moon."))),
    ]


def install(fault: str) -> None:
    """Have the named method of this process kill it."""
    module, name, when = fault.split(":")
    owner, method = name.split(".")
    found = getattr(importlib.import_module(module), owner)
    setattr(found, method, _deadly(getattr(found, method), when))


def _deadly(original: Callable[..., Any], when: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            die()
        answer = original(*arguments, **options)
        if answer != []:
            die()
        return answer

    return call


if __name__ == "__main__":
    if fault := os.environ.get(FAULT):
        install(fault)
    settings = Settings.load()
    logs.configure(settings.log_format, settings.log_level)
    serve(settings, known=known)

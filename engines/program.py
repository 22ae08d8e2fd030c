"""A program that the supervisor keeps running, and the one line that says why it cannot."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct


class EngineError(Exception):
    """One line for the person at the shell."""


class Program(Struct, frozen=True, kw_only=True):
    """What to run and how to know that it serves.

    `user` is (uid, gid); None: the supervisor's own. `scratch` is removed when
    it has ended for good. Without `farewell`, what it prints on being stopped is dropped.
    """

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = {}
    folder: Path | None = None
    scratch: Path | None = None
    user: tuple[int, int] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    ready: Callable[[], bool]
    farewell: bool = True
    ready_seconds: float = 60.0


class Engine(Protocol):
    """An embedded server: `prepare` makes its files and returns its program and the variables that lead to it."""

    def prepare(self, folder: Path) -> tuple[Program, dict[str, str]]: ...

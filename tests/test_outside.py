"""What the API asks of marketplaces is bounded: in time, and in how much of it goes on at once."""

import threading
from contextlib import ExitStack

import anyio
import pytest

from api.outside import THREADS, Outside
from commands.settings import Settings
from commands.web import Unreachable
from domain.errors import Busy

pytestmark = pytest.mark.anyio


async def test_what_takes_too_long_is_given_up_and_keeps_its_thread_until_it_ends() -> None:
    outside, ended = Outside(Settings(), whole_seconds=0.05, turn_seconds=0.05), threading.Event()
    with ExitStack() as stack:
        stack.callback(outside.close)
        stack.callback(ended.set)
        for _ in range(THREADS):
            with pytest.raises(Unreachable):
                await outside.ask(ended.wait)
        # The threads are still at it: whoever comes now is told so instead of waiting behind them.
        with pytest.raises(Busy):
            await outside.ask(lambda: 1)
        ended.set()
        with anyio.fail_after(10):
            while True:
                try:
                    assert await outside.ask(lambda: 1) == 1
                    break
                except Busy:
                    continue


async def test_what_is_raised_is_raised_to_who_asked_and_gives_the_turn_back() -> None:
    outside = Outside(Settings())

    def fail() -> None:
        raise Unreachable

    with ExitStack() as stack:
        stack.callback(outside.close)
        for _ in range(THREADS + 1):
            with pytest.raises(Unreachable):
                await outside.ask(fail)

"""Synchronous code inside an event loop: where it waits, the loop goes on with other work.

Commands are written once, as plain functions. A worker or a shell runs them as they are. The API runs each in a
greenlet of its loop: a thread for each would cost more than the command, in hand-overs of the interpreter's lock.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


async def in_loop(work: Callable[[], T]) -> T:
    """Run `work`, which may call `wait_for` wherever it likes; return or raise what it does."""
    current = getcurrent()
    worker = greenlet(work, current)
    worker.gr_context = current.gr_context
    found = worker.switch()
    while not worker.dead:
        try:
            answer = await found
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits for it
            found = worker.throw(error)
        else:
            found = worker.switch(answer)
    result: T = found
    return result


def wait_for(awaitable: Awaitable[T]) -> T:
    """Wait, within `in_loop`, for something of the loop."""
    parent = getcurrent().parent
    assert parent is not None, "wait_for is called within in_loop"
    answer: Any = parent.switch(awaitable)
    result: T = answer
    return result

"""Concurrent requests that ask the same share one answer: nothing is kept once it is given.

A request never gets an answer that was begun before it came, so it sees every write that was answered before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from domain.errors import Unavailable

Answer = Callable[[], Awaitable[Any]]


class _Flight:
    """`waiting` is the answer that is not begun yet; None while nobody waits for one."""

    __slots__ = ("task", "waiting")

    def __init__(self) -> None:
        self.waiting: asyncio.Future[Any] | None = None
        self.task: asyncio.Task[None] | None = None


class Flights:
    """Runs at most one query of each kind at a time; those that come while it runs share the next."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    async def ask(self, question: Hashable, answer: Answer) -> Any:
        """Return what `answer` gives for this question, begun after this call. Raises what it raises."""
        flight = self._flights.get(question)
        if flight is None:
            flight = self._flights[question] = _Flight()
            # A task of its own: a client that goes away must not take the answer of the others with it.
            flight.task = asyncio.create_task(self._run(question, flight, answer))
        if flight.waiting is None:
            flight.waiting = asyncio.get_running_loop().create_future()
        return await asyncio.shield(flight.waiting)

    async def _run(self, question: Hashable, flight: _Flight, answer: Answer) -> None:
        try:
            while (future := flight.waiting) is not None:
                flight.waiting = None
                await _settle(future, answer)
        finally:
            del self._flights[question]
            if flight.waiting is not None:
                _refuse(flight.waiting, Unavailable())


async def _settle(future: "asyncio.Future[Any]", answer: Answer) -> None:
    try:
        found = await answer()
    except Exception as error:  # noqa: BLE001 - raised where it is awaited
        _refuse(future, error)
    except BaseException:
        # The query was cancelled, not who waits for it.
        _refuse(future, Unavailable())
        raise
    else:
        future.set_result(found)


def _refuse(future: "asyncio.Future[Any]", error: Exception) -> None:
    future.set_exception(error)
    # Without a waiter left it is nobody's, and no reason for a warning.
    future.exception()

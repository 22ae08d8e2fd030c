"""Requests that ask the same share an answer, and nothing that goes wrong with it leaves one of them waiting."""

import asyncio

import pytest

from domain.errors import Unavailable
from projections.flights import Flights

pytestmark = pytest.mark.anyio


class Source:
    """Answers with the number of the query; `held` keeps the next one from being answered."""

    def __init__(self) -> None:
        self.begun = 0
        self.error: BaseException | None = None
        self.held = asyncio.Event()
        self.held.set()

    async def __call__(self) -> int:
        self.begun += 1
        number, error = self.begun, self.error
        await self.held.wait()
        if error is not None:
            raise error
        return number


async def started(flights: Flights, source: Source, askers: int = 1) -> list["asyncio.Task[int]"]:
    asked = [asyncio.create_task(flights.ask("question", source)) for _ in range(askers)]
    await asyncio.sleep(0.01)
    return asked


async def test_those_that_come_while_a_query_runs_share_the_next_one() -> None:
    flights, source = Flights(), Source()
    source.held.clear()
    first = await started(flights, source)
    later = await started(flights, source, 10)
    source.held.set()
    assert await asyncio.gather(*first, *later) == [1] + [2] * 10
    assert source.begun == 2


async def test_an_answer_is_never_begun_before_its_question() -> None:
    flights, source = Flights(), Source()

    async def client() -> None:
        for _ in range(100):
            before = source.begun
            assert await flights.ask("question", source) > before

    await asyncio.gather(*(client() for _ in range(8)))
    assert source.begun < 800, "they share"


async def test_questions_do_not_wait_for_each_other() -> None:
    flights, slow, fast = Flights(), Source(), Source()
    slow.held.clear()
    [waiting] = await started(flights, slow)
    assert await flights.ask("another", fast) == 1
    slow.held.set()
    assert await waiting == 1


async def test_a_query_that_fails_fails_for_those_that_asked_and_for_nobody_after_them() -> None:
    flights, source = Flights(), Source()
    source.error = Unavailable()
    source.held.clear()
    failing = await started(flights, source, 3)
    source.error = None
    later = await started(flights, source, 3)
    source.held.set()
    assert [type(found) for found in await asyncio.gather(*failing, return_exceptions=True)] == [Unavailable] * 3
    assert await asyncio.gather(*later) == [2] * 3
    assert await flights.ask("question", source) == 3


async def test_a_client_that_goes_away_does_not_take_the_answer_of_the_others_with_it() -> None:
    flights, source = Flights(), Source()
    source.held.clear()
    leaving, staying = await started(flights, source, 2)
    leaving.cancel()
    await asyncio.sleep(0)
    source.held.set()
    assert await staying == 1
    assert leaving.cancelled()


async def test_a_query_that_is_cancelled_leaves_nobody_waiting() -> None:
    flights, source = Flights(), Source()
    source.error = asyncio.CancelledError()
    source.held.clear()
    cancelled = await started(flights, source, 2)
    behind = await started(flights, source, 2)
    source.error = None
    source.held.set()
    async with asyncio.timeout(2):
        outcomes = await asyncio.gather(*cancelled, *behind, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 4
        assert await flights.ask("question", source) == 2

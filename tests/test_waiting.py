"""Commands in an event loop: whatever becomes of one, it leaves no connection, lock or turn behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat

from commands.bus import Bus
from commands.connections import LoopConnections, LoopLock
from commands.product import CreateProduct, ReviseProduct
from commands.recorder import OPTIONS
from commands.store import Store
from commands.waiting import in_loop, wait_for
from commands.work import Context
from domain.errors import Busy, StaleWrite
from projections.catalogue import CatalogueProjection
from projections.product import expect
from tests.scenario import ORGANIZATION

pytestmark = pytest.mark.anyio

CONTEXT = Context(ORGANIZATION, "key_1", "request-1")
VALUES = {"title": "Abbey Road", "type": "physical"}
WRITERS = 8


@pytest.fixture
async def bus(database_url: str) -> AsyncIterator[Bus]:
    async with Store.opened_in_loop(database_url, [CatalogueProjection()], WRITERS) as store:
        yield Bus(store)


async def create(bus: Bus) -> UUID:
    id = uuid_utils.compat.uuid7()
    await in_loop(lambda: bus.execute(CreateProduct(id=id, values=VALUES), CONTEXT))
    return id


async def revise(bus: Bus, id: UUID, title: str) -> None:
    await in_loop(lambda: bus.execute(ReviseProduct(id=id, values={"title": title}), CONTEXT))


async def all_writers_work(bus: Bus) -> None:
    """Hold every connection at the same time: one that was lost would be missed. Then write with all of them."""
    together = asyncio.Barrier(WRITERS)

    def meet(_: object) -> None:
        wait_for(together.wait())

    async with asyncio.timeout(5):
        connections = bus.store.connections
        await asyncio.gather(*(in_loop(lambda: connections.guarded(meet, b"SELECT 1", ())) for _ in range(WRITERS)))
        await asyncio.gather(*(create(bus) for _ in range(WRITERS)))


def in_transaction(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'deadwax write' AND state <> 'idle'"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_what_is_waited_for_comes_back_and_errors_too() -> None:
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        if value > 1:
            raise ValueError(value)
        return value

    def work() -> list[int | str]:
        found: list[int | str] = [wait_for(later(1))]
        try:
            wait_for(later(2))
        except ValueError as error:
            found.append(str(error))
        return found

    assert await asyncio.gather(*(in_loop(work) for _ in range(3))) == [[1, "2"]] * 3


async def test_work_that_is_cancelled_can_still_wait_for_what_it_puts_in_order() -> None:
    order = []

    async def say(word: str) -> None:
        await asyncio.sleep(0)
        order.append(word)

    def work() -> None:
        try:
            wait_for(asyncio.sleep(10))
        finally:
            wait_for(say("tidied"))

    task = asyncio.create_task(in_loop(work))
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert order == ["tidied"]


async def test_a_lock_goes_from_hand_to_hand_past_those_that_gave_up() -> None:
    lock, held = LoopLock(0.05), asyncio.Event()

    def hold() -> None:
        with lock:
            wait_for(held.wait())

    holder = asyncio.create_task(in_loop(hold))
    await asyncio.sleep(0)
    late = [asyncio.create_task(in_loop(hold)) for _ in range(3)]
    await asyncio.sleep(0.01)
    late[0].cancel()
    outcomes = await asyncio.gather(*late, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, TimeoutError, TimeoutError]
    held.set()
    await holder
    async with asyncio.timeout(1):
        await asyncio.gather(*(in_loop(hold) for _ in range(5)))


async def test_commands_cancelled_at_any_point_leave_everything_in_working_order(database_url: str, bus: Bus) -> None:
    id = await create(bus)
    for number in range(60):
        work = [*(revise(bus, id, f"{number} {turn}") for turn in range(3)), *(create(bus) for _ in range(3))]
        writing = [asyncio.create_task(command) for command in work]
        await asyncio.sleep(number / 60 * 0.02)
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
    assert await asyncio.to_thread(in_transaction, database_url) == 0
    await revise(bus, id, "Abbey Road")
    await all_writers_work(bus)


async def test_a_command_that_is_cancelled_while_the_log_is_locked_does_not_write_later(
    database_url: str, bus: Bus
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        writing = [asyncio.create_task(create(bus)) for _ in range(WRITERS)]
        await asyncio.sleep(0.1)
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
    await all_writers_work(bus)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM product_list").fetchone() == (WRITERS,)


async def test_a_lock_that_does_not_come_free_is_waited_for_once(
    database_url: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = LoopConnections(database_url, 1, f"{OPTIONS} -c lock_timeout=300ms", 2.0)
    await impatient.open(2.0)
    monkeypatch.setattr(bus.store, "connections", impatient)
    try:
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE events IN EXCLUSIVE MODE")
            async with asyncio.timeout(0.9):
                with pytest.raises(Busy):
                    await create(bus)
    finally:
        await impatient.close()


async def test_writes_go_on_when_all_connections_were_ended(database_url: str, bus: Bus) -> None:
    id = await create(bus)
    for number in range(3):
        with psycopg.connect(database_url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'deadwax write'"
            ).fetchall()
        assert len(ended) == WRITERS
        await asyncio.gather(*(create(bus) for _ in range(WRITERS)), revise(bus, id, str(number)))
    await all_writers_work(bus)


async def test_a_guard_that_refuses_and_one_that_loses_its_connection_leave_no_transaction_open(
    database_url: str, bus: Bus
) -> None:
    id = await create(bus)
    command = ReviseProduct(id=id, values={"title": "Let It Be"})
    with pytest.raises(StaleWrite):
        await in_loop(lambda: bus.execute(command, CONTEXT, guard=expect(id, lambda revision: revision == "9")))
    died: list[bool] = []

    def dies_once(cursor: psycopg.Cursor[object]) -> None:
        cursor.execute(b"SELECT pg_backend_pid() AS pid", ())
        if not died:
            died.append(True)
            cursor.execute(b"SELECT pg_terminate_backend(pg_backend_pid())", ())

    await in_loop(lambda: bus.execute(command, CONTEXT, guard=dies_once))
    assert await asyncio.to_thread(in_transaction, database_url) == 0
    await all_writers_work(bus)

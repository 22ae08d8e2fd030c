"""Reads while the database restarts, locks or keeps a request waiting."""

import asyncio

import psycopg
import pytest

from domain.errors import Unavailable
from projections import base
from projections.bare import Bare
from projections.base import Reader

pytestmark = pytest.mark.anyio

NUMBER = b"SELECT 1"
DOZE = b"SELECT 1 FROM pg_sleep(30)"


def terminate(database_url: str, name: str) -> int:
    """End the backends of an application; return how many there were."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [name],
        ).fetchall()
    return len(ended)


async def test_reads_go_on_when_all_connections_were_ended(database_url: str) -> None:
    async with Reader(database_url, size=4) as reader:
        for _ in range(3):
            await asyncio.gather(*(reader.rows(NUMBER) for _ in range(8)))
            assert await asyncio.to_thread(terminate, database_url, "deadwax read") == 4
            found = await asyncio.gather(*(reader.rows(NUMBER) for _ in range(16)))
            assert found == [[(1,)]] * 16


async def test_a_read_that_is_given_up_leaves_its_turn_and_its_connection(database_url: str) -> None:
    async with Reader(database_url, size=2) as reader:
        for _ in range(3):
            dozing = [asyncio.create_task(reader.rows(DOZE)) for _ in range(4)]
            await asyncio.sleep(0.1)
            for task in dozing:
                task.cancel()
            await asyncio.gather(*dozing, return_exceptions=True)
            assert await asyncio.gather(*(reader.rows(NUMBER) for _ in range(4))) == [[(1,)]] * 4
        [active] = await reader.rows(
            b"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s"
            b" AND state = 'active' AND pid <> pg_backend_pid()",
            ["%pg_sleep%"],
        )
        assert active == (0,)


async def test_a_read_that_gets_no_turn_says_so_within_seconds(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "ACQUIRE_TIMEOUT_SECONDS", 0.1)
    async with Reader(database_url, size=1) as reader:
        dozing = asyncio.create_task(reader.rows(DOZE))
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable):
            await reader.rows(NUMBER)
        dozing.cancel()
        await asyncio.gather(dozing, return_exceptions=True)
        assert await reader.rows(NUMBER) == [(1,)]


async def test_a_read_behind_a_lock_ends_and_the_connection_serves_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "LOCK_TIMEOUT_SECONDS", 1)
    async with Reader(database_url, size=1) as reader:
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE catalogue IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Unavailable):
                await reader.rows(b"SELECT 1 FROM catalogue")
        assert await reader.rows(b"SELECT 1 FROM catalogue") == []


async def test_a_bare_statement_goes_on_when_all_connections_were_ended(database_url: str) -> None:
    statement = Bare(b"twice", b"SELECT 2 * $1::integer, NULL UNION ALL SELECT 1, 'x'")
    async with Reader(database_url, size=4) as reader:
        for _ in range(3):
            found = await asyncio.gather(*(reader.bare(statement, b"%d" % n) for n in range(8)))
            assert found == [[[(2 * n).to_bytes(4), None], [b"\0\0\0\1", b"x"]] for n in range(8)]
            assert await asyncio.to_thread(terminate, database_url, "deadwax read") == 4


async def test_a_bare_statement_that_fails_or_is_given_up_leaves_its_turn(database_url: str) -> None:
    through, doze = Bare(b"through", b"SELECT 6 / $1::integer"), Bare(b"doze", b"SELECT 1 FROM pg_sleep($1::integer)")
    async with Reader(database_url, size=1) as reader:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await reader.bare(through, b"0")
            assert await reader.bare(through, b"3") == [[b"\0\0\0\2"]]
            dozing = asyncio.create_task(reader.bare(doze, b"30"))
            await asyncio.sleep(0.1)
            dozing.cancel()
            await asyncio.gather(dozing, return_exceptions=True)
        assert await reader.rows(NUMBER) == [(1,)]

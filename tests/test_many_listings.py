"""However many listings a seller has, what is asked of one or of the next few reads those alone."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from projections.base import queries
from tests.listings import EBAY, Stall, opened

LISTINGS = 4000
_SQL = queries("listing")


@pytest.fixture
def stall(database_url: str) -> Iterator[Stall]:
    """A stall whose one product is listed thousands of times."""
    with opened(database_url) as found:
        found.connect(EBAY)
        found.override("10.00")
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "INSERT INTO listing (presence, organization, product, platform, external_id, version, status, price,"
                " currency, is_enabled, due) SELECT gen_random_uuid(), %s, %s, %s, n::text, 1, 'active', 10, 'USD',"
                " true, %s + n * interval '1 second' FROM generate_series(1, %s) AS n",
                (found.organization, found.product, EBAY, found.now, LISTINGS),
            )
            connection.execute("ANALYZE listing, todo")
        yield found


def blocks(connection: psycopg.Connection, statement: bytes, values: Any) -> int:
    """Return how many blocks a statement reads, with those of the functions that it calls."""
    explained = connection.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, values).fetchone()
    assert explained is not None
    found = explained[0][0]["Plan"]
    return int(found["Shared Hit Blocks"]) + int(found["Shared Read Blocks"])


def connection_of(stall: Stall) -> UUID:
    [(id,)] = stall.rows("SELECT id FROM connection_list")
    assert isinstance(id, UUID)
    return id


@pytest.mark.parametrize("name", ["due", "next_due"])
def test_what_is_due_next_is_read_along_its_index(stall: Stall, name: str) -> None:
    values = {"connection": connection_of(stall), "now": stall.now + timedelta(days=1), "limit": 5}
    with psycopg.connect(stall.url) as connection:
        assert blocks(connection, _SQL[name], values) < 50


def test_prices_that_are_wanted_no_more_are_looked_up_one_by_one(stall: Stall) -> None:
    account = (stall.organization, EBAY)
    with psycopg.connect(stall.url) as connection:
        connection.execute("SELECT want_pushes_of_connection(%s, %s, now())", account)
        assert connection.execute("SELECT count(*) FROM todo WHERE kind = 'listing'").fetchone() == (LISTINGS,)
        assert blocks(connection, b"SELECT end_pushes(%s, %s)", account) < 40 * LISTINGS
        assert connection.execute("SELECT count(*) FROM todo WHERE kind = 'listing'").fetchone() == (0,)

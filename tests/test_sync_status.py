"""How well marketplaces are kept in step with, at a shell and in metrics."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from uuid_utils.compat import uuid7

from commands.connection import CreateConnection, NoteRefused
from commands.settings import Settings
from commands.store import Store
from domain import ids
from domain.presence.listing import Seen, Unseen
from projections.base import Reader
from projections.inline import inline_projections
from projections.sync import CallsLeft, calls_left
from tests.clients import Key, make_key, serving
from tests.importing import environment
from tests.listings import DISCOGS, EBAY, SETTINGS, Stall

_SAMPLE = re.compile(r"^deadwax_sync_(\w+)\{(.*)\} ([0-9.e+]+)$", re.MULTILINE)
NOBODYS = "Nobody's Records"


@pytest.fixture
def shop(database_url: str, key: Key) -> Iterator[Stall]:
    """An organization with a listing that changed there and one that could not be read, and two that are due."""
    store = Store(database_url, inline_projections(), pool_size=2)
    shop = Stall(database_url, store, key.organization)
    ebay = shop.connect(EBAY, name="Main shop")
    changed, unread, late = (shop.add(EBAY, external_id) for external_id in ("111", "222", "333"))
    shop.check(
        ebay,
        Seen(changed, "active", Decimal("25.00"), "USD"),
        failed=(Unseen(unread, "The marketplace answered with status 500."),),
    )
    shop.add(DISCOGS, "444")
    shop.revise(changed, listing_price="22.00")
    with psycopg.connect(database_url) as connection:
        ago = "UPDATE listing SET due = now() - %s * interval '1 minute' WHERE presence = %s"
        connection.execute(ago.encode(), [90, late])
        connection.execute(ago.encode(), [5, unread])
        connection.execute("UPDATE order_cursor SET checked = now() - interval '3 minutes'")
    yield shop
    store.close()


def limit(url: str, key: str, **values: Any) -> None:
    """Have a limit as workers keep it."""
    row = {"key": key, "next_turn": datetime.now(UTC), "day": datetime.now(UTC).date(), **values}
    statement = f"INSERT INTO budget ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode(), [*row.values()])


def trip(shop: Stall, state: str, platform: str) -> None:
    statement = (
        "INSERT INTO breaker (connection, state, until, reason) SELECT id, %s, now() + interval '1 minute', 'Away.'"
        " FROM connection_list WHERE platform = %s"
    )
    with psycopg.connect(shop.url) as connection:
        connection.execute(statement, [state, platform])


def deadwax(settings: Settings, *arguments: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "api.cli", "sync", "status", *arguments]
    done = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_shell_tells_of_each_connection_and_of_what_is_left_to_ask(shop: Stall, plain_settings: Settings) -> None:
    make_key(shop.url, NOBODYS)
    trip(shop, "open", EBAY)
    limit(shop.url, "ebay:client-id:inventory", a_day=2000, used=1995)
    [(connection, name)] = shop.rows(
        "SELECT c.id, o.name FROM connection_list AS c JOIN organization AS o ON o.id = c.organization"
    )
    found = json.loads(deadwax(plain_settings, "--json"))
    [row] = found["connections"]
    assert 5400 <= row.pop("lag_seconds") < 9000
    assert datetime.now(UTC) - datetime.fromisoformat(row.pop("orders_checked")) > timedelta(minutes=3)
    assert row.pop("breaker_until") is not None
    assert row == {
        "uid": ids.uid(ids.CONNECTION, connection),
        "organization": name,
        "platform": "ebay",
        "name": "Main shop",
        "status": "connected",
        "reason": None,
        "listings": 3,
        "due": 2,
        "pushes_wanted": 1,
        "ends_wanted": 0,
        "breaker": "open",
        "breaker_reason": "Away.",
        "errors": 1,
        "newest_error": "The marketplace answered with status 500.",
    }
    assert found["limits"] == [{"limit": "ebay:inventory", "left": 5, "blocked_until": None}]
    assert json.loads(deadwax(plain_settings, "--json", "--organization", NOBODYS))["connections"] == []
    version = len(shop.store.load(connection, list))
    refused = NoteRefused(id=connection, reason="The credentials were refused.", is_final=True, revision=version)
    shop.do(refused, "system")
    shown = deadwax(plain_settings, "--organization", name)
    for part in (
        "LAG S",
        "Main shop",
        "credentials were refused",
        "status 500",
        "Away.",
        "ebay:inventory: 5 calls left",
    ):
        assert part in shown, part


@pytest.mark.anyio
async def test_metrics_tell_of_it_by_platform_and_never_whose_it_is(shop: Stall, plain_settings: Settings) -> None:
    unverified = {"platform_uid": DISCOGS, **SETTINGS}
    shop.do(CreateConnection(id=uuid7(), values=unverified, sealed=b"sealed"))
    trip(shop, "half-open", EBAY)
    limit(shop.url, "discogs", remaining=42)
    async with serving(plain_settings) as client:
        text = (await client.get("/metrics")).text
    found = {(name, labels): float(value) for name, labels, value in _SAMPLE.findall(text)}
    assert 5400 <= found.pop(("lag_seconds", 'platform="ebay"')) < 9000
    assert found == {
        ("lag_seconds", 'platform="discogs"'): 0,
        ("listings", 'platform="ebay",state="watched"'): 3,
        ("listings", 'platform="ebay",state="due"'): 2,
        ("listings", 'platform="ebay",state="to_push"'): 1,
        ("listings", 'platform="ebay",state="to_end"'): 0,
        # Nothing is due of a connection that does not work.
        **{("listings", f'platform="discogs",state="{state}"'): 0 for state in ("watched", "due", "to_push", "to_end")},
        ("calls_left", 'limit="discogs"'): 42,
        ("activity_total", 'platform="ebay",action="check",outcome="changed"'): 1,
        ("activity_total", 'platform="ebay",action="check",outcome="done"'): 1,
        ("activity_total", 'platform="ebay",action="check",outcome="failed"'): 1,
        ("breakers_open", 'platform="ebay"'): 1,
        ("breakers_open", 'platform="discogs"'): 0,
    }
    [(name,)] = shop.rows("SELECT name FROM organization WHERE id = %s", shop.organization)
    assert name not in text


@pytest.mark.anyio
async def test_what_is_left_of_a_limit_is_that_of_today_and_nothing_while_it_is_blocked(database_url: str) -> None:
    now = datetime.now(UTC)
    yesterday, soon = now - timedelta(days=1), now + timedelta(minutes=1)
    limit(database_url, "ebay:app:browse", a_day=5000, used=5000, day=yesterday.date())
    limit(database_url, "ebay:app:fulfillment", a_day=100, used=120)
    limit(database_url, "ebay:app:inventory", a_day=100, used=1, blocked_until=soon)
    limit(database_url, "ebay:older-app:inventory", a_day=100, used=1, blocked_until=yesterday)
    limit(database_url, "ebay-revisions:111", a_day=250, used=250)
    limit(database_url, "discogs")
    async with Reader(database_url, size=1) as reader:
        assert await calls_left(reader) == [
            CallsLeft("discogs", None, None),
            CallsLeft("ebay:browse", 5000, None),
            CallsLeft("ebay:fulfillment", 0, None),
            CallsLeft("ebay:inventory", 0, soon),
        ]

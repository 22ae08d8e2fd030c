"""`deadwax projections` at a shell, for people and for programs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from commands.bus import Bus
from commands.settings import Settings
from commands.store import Store
from projections.inline import inline_projections
from projections.rebuild import NAMES, Differs
from projections.version import bring_up_to_date
from tests.projecting import Everything, poison, tables, tamper


@pytest.fixture
def shop(database_url: str) -> Iterator[Everything]:
    bring_up_to_date(database_url)
    store = Store(database_url, inline_projections(), pool_size=1)
    yield Everything(Bus(store))
    store.close()


def deadwax(settings: Settings, *arguments: str) -> Result:
    """Run a command within this process: to start one takes longer than what it does."""
    return CliRunner().invoke(app, ["projections", *arguments], env={"DATABASE_URL": settings.database_url})


def told(settings: Settings, *arguments: str, code: int = 0) -> Any:
    done = deadwax(settings, *arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_tables_are_made_compared_exchanged_and_dropped(
    plain_settings: Settings, shop: Everything, database_url: str
) -> None:
    verified = told(plain_settings, "verify", "--processes", "1")
    assert verified["verified"]
    assert [one["name"] for one in verified["projections"]] == list(NAMES)
    made = told(plain_settings, "rebuild", "--no-swap", "--processes", "1")
    assert (made["name"], made["swapped"], made["verified"]["is_same"]) == ("catalogue", None, True)
    standing = {one["name"]: one for one in told(plain_settings, "status")["projections"]}
    assert standing["catalogue"]["new"]["stage"] == "ready"
    swapped = told(plain_settings, "swap", "catalogue")
    assert swapped["was_resumed"]
    assert swapped["swapped"]["attempts"] > 0
    assert told(plain_settings, "rollback", "catalogue")["position"] == swapped["position"]
    assert "kept since" in deadwax(plain_settings, "status").stdout
    assert told(plain_settings, "drop", "catalogue") == {"name": "catalogue", "dropped": ["kept"]}
    assert deadwax(plain_settings, "rollback", "catalogue").exit_code == 1
    assert deadwax(plain_settings, "rebuild", "nonsense").exit_code == 2


def test_what_differs_is_named_and_not_swapped(plain_settings: Settings, shop: Everything, database_url: str) -> None:
    before = tables(database_url, "purchases")
    table, id = tamper(database_url, "purchases")
    found = deadwax(plain_settings, "verify", "purchases")
    assert found.exit_code == 1
    assert f"purchases: rows that the log tells otherwise: {table} 1 ({id})" in found.stdout
    [one] = told(plain_settings, "verify", "purchases", code=1)["projections"]
    assert one["tables"][table]["first_ids"] == [id]
    refused = deadwax(plain_settings, "rebuild", "purchases")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, Differs)
    assert id in str(refused.exception)
    assert "--no-verify" in str(refused.exception)
    assert "purchases from" in deadwax(plain_settings, "rebuild", "purchases", "--no-verify").stdout
    assert tables(database_url, "purchases") == before


def test_what_cannot_be_folded_is_named(plain_settings: Settings, shop: Everything, database_url: str) -> None:
    position = poison(database_url, shop.purchases[0], "purchase.lost.v9")
    stopped = deadwax(plain_settings, "rebuild", "purchases")
    assert stopped.exit_code == 1
    assert f"Event {position} of stream {shop.purchases[0]} (purchase.lost.v9) cannot be folded" in str(
        stopped.exception
    )
    left = deadwax(plain_settings, "rebuild", "purchases", "--park")
    assert left.exit_code == 0, left.output
    assert f"left as it was: {shop.purchases[0]}, for event {position}" in left.stdout
    assert f"event {position} of stream" in deadwax(plain_settings, "verify", "purchases").stdout

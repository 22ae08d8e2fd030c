"""A rebuild that is killed anywhere goes on where it was; until it is swapped the live tables are as they were."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from commands.bus import Bus
from commands.store import Store
from projections.inline import inline_projections
from projections.rebuild import rebuild, rollback, verify
from projections.rebuild.status import Standing, status
from projections.version import bring_up_to_date
from tests.faults.machine import KILLED
from tests.faults.worker import FAULT
from tests.importing import eventually
from tests.projecting import Everything, tables

pytestmark = pytest.mark.faults


@pytest.fixture
def shop(database_url: str) -> Iterator[Everything]:
    bring_up_to_date(database_url)
    store = Store(database_url, inline_projections(), pool_size=2)
    yield Everything(Bus(store))
    store.close()


def standing(database_url: str, name: str) -> Standing:
    return next(one for one in status(database_url).projections if one.name == name)


def run(database_url: str, deed: str, name: str, processes: int, fault: str) -> None:
    environ = {**os.environ, "DATABASE_URL": database_url, FAULT: fault}
    command = [sys.executable, "-m", "tests.faults.rebuilder", deed, name, str(processes)]
    assert subprocess.run(command, env=environ, timeout=60, check=False).returncode == KILLED


_RUN, _FILLING = "projections.rebuild.run:Run", "projections.rebuild.filling:Filling"
_STEPS = [
    f"{_RUN}.begin:before",
    f"{_RUN}.begin:after",
    f"{_FILLING}.fill:before",
    "projections.rebuild.progress:Notes.done:after",
    f"{_FILLING}.go_on:after",
    f"{_FILLING}.go_on:after",
    f"{_FILLING}.run:after",
    f"{_RUN}.index:before",
    "projections.rebuild.progress:Notes.enter:after",
    f"{_RUN}.index:after",
    f"{_RUN}.follow_to:after",
    "projections.rebuild.comparing:Comparison.compare:after",
    "projections.rebuild.swapping:Swap.exchange:before",
]


@pytest.mark.parametrize(("name", "processes", "steps"), [("catalogue", 2, _STEPS), ("audit", 1, _STEPS[3:9:2])])
def test_one_that_is_killed_again_and_again_goes_on_where_it_was(
    shop: Everything, database_url: str, name: str, processes: int, steps: list[str]
) -> None:
    done = [0]
    for fault in steps:
        live = tables(database_url, name)
        run(database_url, "rebuild", name, processes, fault)
        assert tables(database_url, name) == live, fault
        if (new := standing(database_url, name).new) is not None:
            done.append(new.shares_done)
        shop.more()
    assert done == sorted(done), "no share is done twice"
    live = tables(database_url, name)
    assert rebuild(database_url, processes, name=name, verified=True).was_resumed
    assert tables(database_url, name) == live
    # What comes after is as before: nothing of those that died is in the way.
    shop.more()
    assert verify(database_url, name, processes=1).is_same


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_swap_or_a_rollback_that_is_killed_is_done_or_not(shop: Everything, database_url: str, when: str) -> None:
    exchange = f"projections.rebuild.swapping:Swap.exchange:{when}"
    run(database_url, "rebuild", "catalogue", 1, exchange)
    assert (standing(database_url, "catalogue").kept is not None) == (when == "after")
    rebuild(database_url, 1, verified=True)
    shop.more()
    live = tables(database_url, "catalogue")
    run(database_url, "rollback", "catalogue", 1, exchange)
    assert tables(database_url, "catalogue") == live
    assert standing(database_url, "catalogue").kept is not None
    shop.more()
    rollback(database_url, "catalogue")
    assert verify(database_url, "catalogue", processes=1).is_same


def test_children_of_one_that_was_killed_end_with_it(shop: Everything, database_url: str) -> None:
    run(database_url, "rebuild", "catalogue", 3, "projections.rebuild.progress:Notes.done:after")
    eventually(lambda: not processes_of(database_url))
    assert rebuild(database_url, 2, verified=True).was_resumed


def processes_of(database_url: str) -> list[int]:
    """Return those that were started with this database in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("DATABASE_URL") == database_url:
                found.append(process.pid)
    return found

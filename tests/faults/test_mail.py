"""Workers die at each point of a mail, an API dies while it sells: the buyer gets one mail, or the same one twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from commands.purchase import NoteMailSent
from commands.settings import Settings
from domain.purchase.errors import Superseded
from tests.clients import make_key
from tests.importing import Shop, eventually, working
from tests.mail_server import Gate, Mailbox
from tests.mailing import is_sent, shown, uid
from tests.selling import BUYER, FULFILL, digital_product, sold
from tests.server import running

pytestmark = pytest.mark.faults


def kill(worker: Any, at: Shop) -> None:
    """Kill the worker; what it had on lease is nobody's from now on, as it would be in twenty seconds."""
    worker.kill()
    worker.wait()
    at.rows("UPDATE lease SET until = now() WHERE %s IS NOT NULL RETURNING 1")


def test_a_worker_that_dies_before_the_mail_server_has_the_mail_sends_none_twice(
    at: Shop, with_server: Settings, mailbox: Mailbox
) -> None:
    mailbox.says["DATA"] = gate = Gate()
    id = sold(at.bus, at.organization)
    with working(with_server) as worker:
        assert gate.reached.wait(30)
        kill(worker, at)
    gate.open()
    mailbox.says.clear()
    with working(with_server):
        eventually(lambda: is_sent(at, id), 30)
    assert mailbox.ids == [f"<{uid(id)}.1@shop.example>"]
    assert shown(at, id)["email"]["attempts"] == 1


def test_a_worker_that_dies_before_it_speaks_to_the_mail_server_sends_one_mail(
    at: Shop, with_server: Settings, mailbox: Mailbox
) -> None:
    with psycopg.connect(at.database_url) as holder:
        id = sold(at.bus, at.organization)
        holder.execute("LOCK TABLE buyer IN ACCESS EXCLUSIVE MODE")
        with working(with_server) as worker:
            eventually(lambda: waiting_for_a_lock(at, "%buyer%"), 30)
            kill(worker, at)
    with working(with_server):
        eventually(lambda: is_sent(at, id), 30)
    assert mailbox.ids == [f"<{uid(id)}.1@shop.example>"]


def test_a_worker_that_dies_before_it_notes_the_mail_sends_it_at_most_once_more_under_the_same_id(
    at: Shop, with_server: Settings, mailbox: Mailbox
) -> None:
    id = sold(at.bus, at.organization)
    with psycopg.connect(at.database_url) as holder:
        holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        with working(with_server) as worker:
            eventually(lambda: waiting_for_a_lock(at, "%append_event%"), 30)
            assert len(mailbox.ids) == 1
            kill(worker, at)
        eventually(lambda: not waiting_for_a_lock(at, "%append_event%"), 30)
    assert shown(at, id)["status"] == "pending"
    with working(with_server):
        eventually(lambda: is_sent(at, id), 30)
    assert mailbox.ids == [f"<{uid(id)}.1@shop.example>"] * 2
    with pytest.raises(Superseded):
        at.bus.execute(NoteMailSent(id=id, number=1), at.context)


def test_a_worker_that_dies_after_it_noted_the_mail_sends_no_other(
    at: Shop, with_server: Settings, mailbox: Mailbox
) -> None:
    first = sold(at.bus, at.organization)
    with working(with_server) as worker:
        eventually(lambda: is_sent(at, first), 30)
        kill(worker, at)
    second = sold(at.bus, at.organization)
    with working(with_server):
        eventually(lambda: is_sent(at, second), 30)
    assert mailbox.ids == [f"<{uid(id)}.1@shop.example>" for id in (first, second)]


def test_a_database_that_is_away_after_the_mail_left_is_waited_for(
    at: Shop, with_server: Settings, mailbox: Mailbox
) -> None:
    id = sold(at.bus, at.organization)
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE '%%append_event%%' AND pid <> pg_backend_pid() AND %s IS NOT NULL"
    )
    with psycopg.connect(at.database_url) as holder:
        holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        with working(with_server):
            eventually(lambda: waiting_for_a_lock(at, "%append_event%"), 30)
            for _ in range(3):
                at.rows(cut)
            holder.rollback()
            eventually(lambda: is_sent(at, id), 30)
    assert mailbox.ids == [f"<{uid(id)}.1@shop.example>"]


@pytest.mark.parametrize("is_committed", [False, True])
def test_an_api_that_dies_while_it_sells_sells_once(
    at: Shop, with_server: Settings, mailbox: Mailbox, tmp_path: Path, is_committed: bool
) -> None:
    key = make_key(at.database_url, of=at.organization).text
    body = {
        "product_uid": digital_product(at.bus, at.organization, "a.zip"),
        "buyer_email": BUYER,
        "external_order_id": "1001",
    }
    log = tmp_path / "api.log"

    def sell(port: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.post(f"http://127.0.0.1:{port}{FULFILL}", json=body, headers=headers, timeout=30)

    with (
        running(with_server, log) as port,
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(at.database_url) as holder,
    ):
        if not is_committed:
            holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        asked = pool.submit(sell, port)
        if is_committed:
            asked.result()
        else:
            eventually(lambda: waiting_for_a_lock(at, "%append_event%"), 30)
        kill_servers_at(port)
        if not is_committed:
            with pytest.raises(httpx.TransportError):
                asked.result()
            eventually(lambda: not waiting_for_a_lock(at, "%append_event%"), 30)
    assert len(at.rows("SELECT id FROM purchase_list WHERE organization = %s")) == int(is_committed)
    with running(with_server, log) as port:
        again = sell(port)
    assert again.status_code == (200 if is_committed else 201)
    [[id]] = at.rows("SELECT id FROM purchase_list WHERE organization = %s")
    with working(with_server):
        eventually(lambda: is_sent(at, id), 30)
    assert mailbox.ids == [f"<{uid(id)}.1@shop.example>"]


def kill_servers_at(port: int) -> None:
    """Kill the process that answers there, and the one that would start it again."""
    [found] = {c.pid for c in psutil.net_connections() if c.status == "LISTEN" and c.laddr[1] == port and c.pid}
    process = psutil.Process(found)
    parent = process.parent()
    assert parent is not None
    for one in (parent, process):
        if "api.cli" in one.cmdline():
            one.kill()


def waiting_for_a_lock(at: Shop, query: str) -> bool:
    with psycopg.connect(at.database_url) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE %s AND pid <> pg_backend_pid()",
            [query],
        )
        return found.fetchone() is not None

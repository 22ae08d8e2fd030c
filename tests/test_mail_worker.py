"""Mails of purchases by real workers, a real broker, database and mail server, while things break."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from commands.outbox import Outbox
from commands.purchase import EraseBuyer, NoteMailSent, ResendMail, RestorePurchase, RevokePurchase
from commands.settings import Settings
from commands.tokens import download_token
from domain import ids
from domain.purchase.errors import Superseded
from projections.documents import fill
from projections.purchase_document import Buyer, with_buyer
from tests.conftest import SECRET
from tests.importing import Shop, eventually, shop, working
from tests.mail_server import Gate, Mailbox, mail_server
from tests.selling import BUYER, digital_product, sold

SENDER = "mail@shop.example"


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as found:
        yield found


@pytest.fixture
def with_folder(settings: Settings, s3: Settings, tmp_path: Path) -> Settings:
    quiet: dict[str, Any] = {"log_level": "error", "log_format": "json", "data": tmp_path}
    return replace(settings, s3_bucket=s3.s3_bucket, public_url="https://shop.example", mail_from=SENDER, **quiet)


@pytest.fixture
def with_server(with_folder: Settings, mailbox: Mailbox) -> Settings:
    return replace(with_folder, smtp_url=f"smtp://127.0.0.1:{mailbox.port}")


def shown(at: Shop, id: UUID) -> dict[str, Any]:
    """Return the purchase object as the API would show it."""
    with psycopg.connect(at.database_url) as connection:
        [text] = connection.execute("SELECT document FROM purchase_list WHERE id = %s", [id]).fetchone() or ("",)
    found: dict[str, Any] = msgspec.json.decode(fill(with_buyer(text, Buyer(None, None)), "").replace(b"\x10", b""))
    return found


def owed(at: Shop) -> int:
    return len(at.rows("SELECT subject FROM todo WHERE kind = 'mail' AND organization = %s"))


def is_sent(at: Shop, id: UUID) -> bool:
    return bool(shown(at, id)["status"] == "sent")


def uid(id: UUID) -> str:
    return ids.uid(ids.PURCHASE, id)


def test_a_purchase_is_mailed_once(at: Shop, with_server: Settings, mailbox: Mailbox) -> None:
    purchases = [sold(at.bus, at.organization, name="Ana") for _ in range(12)]
    with working(with_server, processes=2):
        eventually(lambda: all(is_sent(at, id) for id in purchases), 30)
        assert owed(at) == 0
    assert sorted(mailbox.ids) == sorted(f"<{uid(id)}.1@shop.example>" for id in purchases)
    assert set(mailbox.recipients) == {BUYER}
    assert len(mailbox.sessions) < 12
    mail = mailbox.mails[0]
    id = next(id for id in purchases if uid(id) in mail["message-id"])
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"https://shop.example/api/v1/digital/download/{download_token(SECRET, id)}/" in body.get_content()
    found = shown(at, id)
    assert found["email"]["attempts"] == 1
    assert found["email"]["sent_at"] is not None


def test_each_mail_that_is_asked_for_is_one_more_with_an_id_of_its_own(
    at: Shop, with_server: Settings, mailbox: Mailbox
) -> None:
    id = sold(at.bus, at.organization)
    for _ in range(2):
        at.bus.execute(ResendMail(id=id), at.context)
    with working(with_server):
        eventually(lambda: is_sent(at, id), 30)
        assert len(mailbox.ids) == 3
        at.bus.execute(ResendMail(id=id), at.context)
        eventually(lambda: len(mailbox.ids) == 4, 30)
        eventually(lambda: is_sent(at, id), 30)
    assert mailbox.ids == [f"<{uid(id)}.{number}@shop.example>" for number in (1, 2, 3, 4)]
    links = {re.findall(r"https://\S+/", str(mail.get_body(("plain",))))[0] for mail in mailbox.mails}
    assert len(links) == 1


def test_a_refusal_for_now_is_tried_again_later(at: Shop, with_server: Settings, mailbox: Mailbox) -> None:
    mailbox.says["RCPT"] = lambda: "451 4.7.1 greylisted, buyer@example.com"
    id = sold(at.bus, at.organization)
    with working(with_server):
        eventually(lambda: shown(at, id)["email"]["attempts"] == 1, 30)
        found = shown(at, id)
        assert found["status"] == "pending"
        assert found["email"]["last_error"] == "The mail server refused the buyer's address (451)."
        [[seconds]] = at.rows("SELECT extract(epoch FROM due - now())::float FROM todo WHERE organization = %s")
        assert 0 < seconds <= 10
        mailbox.says.clear()
        eventually(lambda: is_sent(at, id), 30)
    assert shown(at, id)["email"] | {"sent_at": None} == {
        "status": "sent",
        "attempts": 2,
        "last_error": None,
        "sent_at": None,
    }
    assert len(mailbox.ids) == 1


def test_a_refusal_for_good_ends_it_visibly_and_another_mail_can_be_asked_for(
    at: Shop, with_server: Settings, mailbox: Mailbox
) -> None:
    mailbox.says["RCPT"] = lambda: "550 no such user buyer@example.com here"
    id = sold(at.bus, at.organization)
    with working(with_server):
        eventually(lambda: shown(at, id)["status"] == "failed", 30)
        assert owed(at) == 0
        assert shown(at, id)["email"]["last_error"] == "The mail server refused the buyer's address (550)."
        mailbox.says.clear()
        at.bus.execute(ResendMail(id=id), at.context)
        eventually(lambda: is_sent(at, id), 30)
    assert mailbox.ids == [f"<{uid(id)}.2@shop.example>"]
    # Neither the log nor the table has what the server said.
    [[found]] = at.rows(
        "SELECT count(*) FROM events WHERE convert_from(state, 'UTF8') ~ 'no such|buyer@' AND %s IS NOT NULL"
    )
    assert found == 0


def test_a_server_that_is_away_is_waited_for(at: Shop, with_folder: Settings) -> None:
    id = sold(at.bus, at.organization)
    with mail_server() as gone:
        port = gone.port
    with working(replace(with_folder, smtp_url=f"smtp://127.0.0.1:{port}")):
        eventually(lambda: shown(at, id)["email"]["attempts"] == 1, 30)
        assert shown(at, id)["email"]["last_error"] == "The mail server cannot be reached."
        assert shown(at, id)["status"] == "pending"


def test_a_revoked_purchase_is_mailed_when_it_is_restored(at: Shop, with_server: Settings, mailbox: Mailbox) -> None:
    revoked, other = (sold(at.bus, at.organization) for _ in range(2))
    at.bus.execute(RevokePurchase(id=revoked), at.context)
    with working(with_server):
        eventually(lambda: is_sent(at, other), 30)
        assert mailbox.ids == [f"<{uid(other)}.1@shop.example>"]
        at.bus.execute(RestorePurchase(id=revoked), at.context)
        eventually(lambda: is_sent(at, revoked), 30)
    assert len(mailbox.ids) == 2


def test_without_a_server_mails_are_files(at: Shop, with_folder: Settings) -> None:
    at.rows("INSERT INTO sender (organization, reply_to) VALUES (%s, 'help@shop.example') RETURNING 1")
    id = sold(at.bus, at.organization, digital_product(at.bus, at.organization, "a.zip", title="Æon"))
    with working(with_folder):
        eventually(lambda: is_sent(at, id), 30)
    [kept] = Outbox(with_folder.data).kept()
    assert kept.name == f"{uid(id)}.1"
    text = kept.path.read_text()
    assert "help@shop.example>" in text
    assert "To: buyer@example.com" in text
    assert kept.path.stat().st_mode & 0o077 == 0
    assert kept.path.parent.stat().st_mode & 0o077 == 0


def test_a_buyer_who_is_erased_is_mailed_no_more(at: Shop, with_server: Settings, mailbox: Mailbox) -> None:
    erased, other = (sold(at.bus, at.organization) for _ in range(2))
    at.bus.execute(EraseBuyer(id=erased), at.context)
    with working(with_server):
        eventually(lambda: is_sent(at, other), 30)
        assert owed(at) == 0
    assert len(mailbox.ids) == 1


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


def waiting_for_a_lock(at: Shop, query: str) -> bool:
    with psycopg.connect(at.database_url) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE %s AND pid <> pg_backend_pid()",
            [query],
        )
        return found.fetchone() is not None

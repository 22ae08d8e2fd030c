"""Mails of purchases by real workers, a real broker, database and mail server, while things break."""

import re
from contextlib import closing
from threading import Event

import pytest
from msgspec.structs import replace

from commands.outbox import Outbox
from commands.purchase import EraseBuyer, ResendMail, RestorePurchase, RevokePurchase
from commands.settings import Settings
from commands.tokens import download_token
from tests.conftest import SECRET
from tests.importing import Shop, eventually, working
from tests.mail_server import Mailbox, mail_server
from tests.mailing import is_sent, owed, shown, uid
from tests.selling import BUYER, digital_product, sold
from workers.leases import Lease
from workers.mail import MailWork, Office
from workers.runner import Postponed


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


def test_a_mail_that_cannot_be_written_says_no_more_than_that(at: Shop, with_folder: Settings) -> None:
    id = sold(at.bus, at.organization)
    office = Office.opened(replace(with_folder, mail_from="shop..x@shop.example"), at.bus)
    work = MailWork.take(office, id)
    assert work is not None
    with closing(office.letters), pytest.raises(Postponed) as postponed:
        work.attempt(Lease(id, id, 1, Event(), 20.0))
    assert str(postponed.value) == "The mail could not be written: InvalidHeaderDefect."
    assert postponed.value.__cause__ is None
    assert owed(at) == 1

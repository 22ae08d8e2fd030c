"""Forgetting a buyer, and making the tables again afterwards, as somebody does it in a shell."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from commands.outbox import Outbox
from commands.purchase import ResendMail
from commands.settings import Settings
from commands.task import DropTask
from commands.work import Context
from domain.errors import UnfoldableEvent
from projections.rebuild import rebuild
from tests.clients import Key, make_key, serving
from tests.importing import Shop, environment, shop
from tests.selling import BUYER, FULFILL, PURCHASES, bus_of, digital_product, fulfill, sold
from tests.test_purchases_api import holding

pytestmark = pytest.mark.anyio


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


@pytest.fixture
def with_folder(plain_settings: Settings, tmp_path: Path) -> Settings:
    return replace(plain_settings, data=tmp_path)


def deadwax(settings: Settings, *arguments: str) -> str:
    command = [sys.executable, "-m", "api.cli", *arguments]
    done = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT * FROM purchase_list ORDER BY id").fetchall()


async def test_an_erased_buyer_is_nowhere_and_a_rebuild_changes_nothing_of_that(
    with_folder: Settings, key: Key, database_url: str
) -> None:
    with bus_of(database_url) as bus:
        product = digital_product(bus, key.organization, "a.zip")
    outbox = Outbox(with_folder.data)
    async with serving(with_folder, key.text) as api:
        keyed = {"Idempotency-Key": "k"}
        body = {"product_uid": product, "buyer_email": "Ana@Example.com", "buyer_name": "Ana Sousa"}
        first = (await api.post(FULFILL, json=body, headers=keyed)).json()
        other = await fulfill(api, product)
        for purchase in (first, other):
            outbox.keep(f"{purchase['uid']}.1", f"To: {purchase['buyer_email']}".encode())
        said = deadwax(with_folder, "erase", "ana@example.COM")
        assert said == "purchases that say no more who made them: 1; mails deleted: 1\n"
        assert holding(database_url, "Sousa") == holding(database_url, "Ana@") == []
        assert [kept.name for kept in outbox.kept()] == [f"{other['uid']}.1"]

        async def check() -> None:
            shown = (await api.get(f"{PURCHASES}{first['uid']}/")).json()
            assert (shown["buyer_email"], shown["buyer_name"]) == (None, None)
            assert shown["download_url"] == first["download_url"]
            assert (await api.get(f"{PURCHASES}{other['uid']}/")).json()["buyer_email"] == BUYER
            assert (await api.get(PURCHASES, params={"buyer_email": "ana@example.com"})).json()["count"] == 0

        await check()
        assert "purchases: 2 purchases from 3 events" in deadwax(with_folder, "projections", "rebuild", "purchases")
        await check()
        assert " them: 0; " in deadwax(with_folder, "erase", "ana@example.com")
        refused = await api.post(f"{PURCHASES}{first['uid']}/resend-email/")
        assert (refused.status_code, refused.json()) == (400, {"detail": "The buyer of this purchase was erased."})
        # The first answer is kept for repeats, but not who bought.
        again = await api.post(FULFILL, json=body, headers=keyed)
        assert (again.status_code, again.json()) == (201, {**first, "buyer_email": None, "buyer_name": None})


async def test_a_buyer_is_erased_for_one_seller_alone(with_folder: Settings, key: Key, database_url: str) -> None:
    other = make_key(database_url, "Other")
    with bus_of(database_url) as bus:
        for organization in (key.organization, other.organization):
            sold(bus, organization)
    assert " them: 1; " in deadwax(with_folder, "erase", BUYER, "--organization", "other")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT organization FROM buyer").fetchall() == [(key.organization,)]


def test_a_rebuild_makes_every_row_as_it_was(at: Shop, database_url: str) -> None:
    purchases = [sold(at.bus, at.organization, external_order_id=str(n)) for n in range(7)]
    at.bus.execute(ResendMail(id=purchases[0]), at.context)
    before = table(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE purchase_list SET status = 'lost', revision = 99 WHERE id = %s", [purchases[1]])
        connection.execute("DELETE FROM purchase_list WHERE id = %s", [purchases[2]])
        connection.execute("UPDATE purchase_list SET id = gen_random_uuid() WHERE id = %s", [purchases[3]])
        connection.execute(
            "INSERT INTO purchase_list SELECT gen_random_uuid(), organization, 1, product, buyer, '', created,"
            " '\\x01', state, document FROM purchase_list LIMIT 1"
        )
    rebuilt = rebuild(database_url, name="purchases")
    assert (rebuilt.objects, rebuilt.events) == (7, 8)
    assert table(database_url) == before


def test_an_event_that_cannot_be_folded_stops_a_rebuild_and_is_named(at: Shop, database_url: str) -> None:
    id = sold(at.bus, at.organization)
    at.bus.execute(ResendMail(id=id), at.context)
    before = table(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER events_stay")
        poison = "UPDATE events SET topic = 'purchase.lost.v9' WHERE originator_id = %s AND originator_version = 2"
        connection.execute(poison, [id])
    with pytest.raises(UnfoldableEvent, match=rf"of stream {id} \(purchase\.lost\.v9\)"):
        rebuild(database_url, name="purchases")
    assert table(database_url) == before


def test_a_mail_that_is_dropped_ends_as_failed(at: Shop) -> None:
    id = sold(at.bus, at.organization)
    at.bus.execute(ResendMail(id=id), at.context)
    at.bus.execute(DropTask(subject=id, kind="mail"), at.context)
    [[status, state]] = at.rows("SELECT status, state FROM purchase_list WHERE organization = %s")
    assert status == "failed"
    assert '"email_error":"It was dropped."' in state
    assert at.rows("SELECT 1 FROM todo WHERE organization = %s") == []


async def test_mails_that_are_files_are_listed_and_shown(with_folder: Settings, key: Key) -> None:
    outbox = Outbox(with_folder.data)
    for number in (1, 2):
        outbox.keep(
            f"pur_x.{number}", f"To: a{number}@example.com\r\nSubject: =?utf-8?q?=C3=86on?=\r\n\r\nHello\r\n".encode()
        )
    assert [line.split("  ")[0] for line in deadwax(with_folder, "mail").splitlines()] == ["pur_x.2", "pur_x.1"]
    assert deadwax(with_folder, "mail", "list", "--limit", "1").endswith("a2@example.com  Æon\n")
    assert deadwax(with_folder, "mail", "show") == "To: a2@example.com\nSubject: Æon\n\nHello\n"
    assert deadwax(with_folder, "mail", "show", "pur_x.1").startswith("To: a1@example.com\n")


async def test_mails_that_failed_are_asked_for_again(with_folder: Settings, key: Key, database_url: str) -> None:
    with bus_of(database_url) as bus:
        failed, _ = (sold(bus, key.organization) for _ in range(2))
        bus.execute(DropTask(subject=failed, kind="mail"), Context(key.organization, "system", "test"))
    assert deadwax(with_folder, "mail", "retry") == "1 to be sent again\n"
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT DISTINCT status FROM purchase_list").fetchall() == [("pending",)]


async def test_a_seller_says_where_answers_go(with_folder: Settings, key: Key, database_url: str) -> None:
    said = deadwax(with_folder, "organization", "reply-to", "help@bücher.example")
    assert said == "Abbey: answers go to help@xn--bcher-kva.example\n"
    assert deadwax(with_folder, "organization", "list") == "Abbey  help@xn--bcher-kva.example\n"
    assert deadwax(with_folder, "organization", "reply-to", "") == "Abbey: answers go nowhere\n"
    assert deadwax(with_folder, "organization", "list") == "Abbey  -\n"
    assert holding(database_url, "help@") == []

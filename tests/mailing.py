"""What tests of mails share: a shop, a mail server and the settings that lead to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from commands.settings import Settings
from domain import ids
from projections.documents import fill
from projections.purchase_document import Buyer, with_buyer
from tests.importing import Shop, shop
from tests.mail_server import Mailbox, mail_server

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

"""The role that api and worker run as: everything works, and the log cannot be changed."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.migrate import MigrationError, give_rights
from commands.settings import Settings
from commands.store import Store
from domain.connection.activity import Activity
from projections.activity import ActivityLog
from projections.inline import inline_projections
from projections.rebuild import rebuild
from projections.todo import Todo
from tests.clients import PRODUCTS, create, create_item, create_presence, make_key, serving
from tests.sealing import SealedShop
from tests.shop import Shop

PASSWORD = "of a test"


@pytest.fixture
def runtime_url(database_url: str) -> Iterator[str]:
    """The database as its runtime role reaches it."""
    role = f"runtime_{secrets.token_hex(4)}"
    assert give_rights(database_url, role)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'".encode())
        parts = urlsplit(database_url)
        host = parts.netloc.rpartition("@")[2]
        yield urlunsplit(parts._replace(netloc=f"{role}:{quote(PASSWORD)}@{host}"))
        connection.execute(f"DROP OWNED BY {role}".encode())
        connection.execute(f"DROP ROLE {role}".encode())


@pytest.mark.anyio
async def test_the_api_works_as_the_runtime_role_also_with_rebuilt_tables(
    plain_settings: Settings, runtime_url: str, database_url: str
) -> None:
    key = make_key(runtime_url)
    for _ in range(2):
        async with serving(replace(plain_settings, database_url=runtime_url), key.text) as client:
            headers = {"Idempotency-Key": secrets.token_hex(8)}
            product = (await client.post(PRODUCTS, json={"title": "Abbey Road"}, headers=headers)).json()
            await create_item(client, product, status="listed")
            await create_presence(client, product)
            assert (await client.patch(f"{PRODUCTS}{product['uid']}/", json={"title": "Help!"})).status_code == 200
            batch = {"products": [{"title": "One"}, {"title": "Two"}]}
            assert (await client.post(f"{PRODUCTS}batch/", json=batch)).status_code in {200, 400}
            gone = await create(client)
            assert (await client.delete(f"{PRODUCTS}{gone['uid']}/")).status_code == 204
            assert (await client.get(PRODUCTS)).json()["count"] > 0
        rebuild(database_url, processes=1)


def test_a_worker_seals_and_sweeps_as_the_runtime_role(s3: Settings, runtime_url: str) -> None:
    store = Store(runtime_url, inline_projections(), pool_size=1)
    Shop(Bus(store)).product(title="Abbey Road", type="physical")
    store.close()
    shop = SealedShop(replace(s3, database_url=runtime_url))
    assert shop.seal().events == 1
    assert shop.faults() == []
    with Todo(runtime_url) as todo:
        todo.sweep()
    connection = Activity(connection=uuid7(), action="check", outcome="done", message="Fine.")
    with ActivityLog(runtime_url) as activity:
        activity.note(uuid7(), datetime.now(UTC), [connection])
        activity.forget(30)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET topic = topic",
        "DELETE FROM events",
        "TRUNCATE events",
        "ALTER TABLE events DISABLE TRIGGER events_stay",
        "DROP TABLE events",
        "UPDATE seal SET leaves = ''",
        "DELETE FROM seal",
        "DELETE FROM seal_anchor",
        "UPDATE migration SET digest = 'x'",
        "CREATE TABLE mine (id integer)",
        "CREATE OR REPLACE FUNCTION lock_log() RETURNS void LANGUAGE sql AS ''",
        "SET session_replication_role = replica",
    ],
)
def test_the_runtime_role_may_only_insert_into_the_log_and_read_it(runtime_url: str, statement: str) -> None:
    with (
        psycopg.connect(runtime_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_giving_rights_again_changes_nothing(runtime_url: str, database_url: str) -> None:
    role = urlsplit(runtime_url).username
    assert role is not None
    assert not give_rights(database_url, role)
    with psycopg.connect(runtime_url) as connection:
        connection.execute("SELECT count(*) FROM events")


def test_a_role_that_could_change_everything_is_refused(database_url: str, runtime_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        owner = connection.info.user
    with pytest.raises(MigrationError, match=f"{owner} owns the log or is a superuser"):
        give_rights(database_url, owner)
    with pytest.raises(MigrationError, match="permission denied"):
        give_rights(runtime_url, "another")

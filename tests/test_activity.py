"""What was done with connections: noted with writes and by workers, read by their owners, forgotten, counted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.activity import activity_step
from commands.bus import Bus
from commands.settings import Settings
from commands.store import Store
from commands.work import Context
from domain import ids
from domain.connection.activity import Activity
from domain.event import Step
from projections.activity import ActivityLog, tallies
from projections.base import Reader
from projections.inline import inline_projections
from tests.clients import Key, create, create_presence, make_key, presences_of, serving

pytestmark = pytest.mark.anyio

CONNECTIONS = "/api/v1/marketplace-connections/"
NOW = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
Note = Callable[..., None]


@pytest.fixture
def secretive(plain_settings: Settings) -> Settings:
    return replace(plain_settings, secret_key="a secret of this test, long enough")


@pytest.fixture
async def api(secretive: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(secretive, key.text) as client:
        yield client


async def connect(api: httpx.AsyncClient, platform: str = "plat_discogs") -> str:
    """Make a connection; return its uid."""
    response = await api.post(CONNECTIONS, json={"platform_uid": platform})
    assert response.status_code == 201, response.text
    return str(response.json()["uid"])


def entry(
    connection: str, action: Any = "check", outcome: Any = "done", message: str = "Fine.", **more: Any
) -> Activity:
    id = ids.parse(ids.CONNECTION, connection)
    assert id is not None
    return Activity(connection=id, action=action, outcome=outcome, message=message, **more)


@pytest.fixture
def note(secretive: Settings, key: Key) -> Note:
    def note(*entries: Activity, at: datetime = NOW, of: UUID = key.organization) -> None:
        with ActivityLog(secretive.database_url) as log:
            log.note(of, at, entries)

    return note


async def listed(api: httpx.AsyncClient, connection: str, **filters: Any) -> dict[str, Any]:
    response = await api.get(f"{CONNECTIONS}{connection}/activity/", params=filters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def messages(api: httpx.AsyncClient, connection: str, **filters: Any) -> list[str]:
    return [found["message"] for found in (await listed(api, connection, **filters))["results"]]


async def test_entries_are_told_newest_first_with_what_they_are_about(api: httpx.AsyncClient, note: Note) -> None:
    connection, product = await connect(api), await create(api)
    presence = await create_presence(api, product, "plat_discogs")
    [about] = [id for id in [ids.parse(ids.PRODUCT, product["uid"])] if id is not None]
    with_presence = {"presence": await presence_of(api, product), "product": about}
    changes = {"listing_price": (Decimal("24.99"), Decimal("22.50")), "status": ("active", None)}
    note(entry(connection, "orders", message="Asked for orders."))
    note(
        entry(connection, "check", "changed", "It was changed there.", changes=changes, **with_presence),
        entry(connection, "push", "failed", "The marketplace refused the price."),
        at=NOW + timedelta(seconds=1),
    )
    page = await listed(api, connection)
    assert page["count"] == 3
    newest, changed, oldest = page["results"]
    assert newest["id"] > changed["id"] > oldest["id"]
    assert changed == {
        "id": changed["id"],
        "at": "2025-01-15T10:30:01Z",
        "action": "check",
        "outcome": "changed",
        "message": "It was changed there.",
        "presence": presence["id"],
        "product": product["uid"],
        "changes": {"listing_price": ["24.99", "22.50"], "status": ["active", None]},
    }
    assert (newest["action"], newest["presence"], newest["product"], newest["changes"]) == ("push", None, None, {})
    # What is gone keeps the number that it was called by.
    await api.delete(f"{presences_of(product)}{presence['id']}/")
    assert (await listed(api, connection))["results"][1] == changed
    assert await messages(api, connection, presence=presence["id"]) == ["It was changed there."]


async def presence_of(api: httpx.AsyncClient, product: dict[str, Any]) -> UUID:
    """Return what the log calls the product's only presence."""
    found = (await api.get("/api/v1/audit/events/", params={"event": "presence.created"})).json()["results"]
    [uid] = [event["object"]["uid"] for event in found]
    id = ids.parse(uid[: uid.find("_") + 1], uid)
    assert id is not None
    return id


async def test_entries_are_filtered_and_paged_as_other_lists_are(api: httpx.AsyncClient, note: Note) -> None:
    connection, product = await connect(api), await create(api)
    about = ids.parse(ids.PRODUCT, product["uid"])
    for minute in range(5):
        note(entry(connection, message=f"check {minute}"), at=NOW + timedelta(minutes=minute))
    note(entry(connection, "push", "failed", "push", product=about), entry(connection, "end", "skipped", "end"))
    assert await messages(api, connection, action="push,end") == ["end", "push"]
    assert await messages(api, connection, outcome="failed") == ["push"]
    assert await messages(api, connection, action="push", outcome="skipped") == []
    assert await messages(api, connection, product=product["uid"]) == ["push"]
    assert await messages(api, connection, product="prod_no") == []
    assert await messages(api, connection, presence="12") == await messages(api, connection, presence="9" * 40) == []
    bounds = {"since": "2025-01-15T10:31:00Z", "until": "2025-01-15T10:33:00+00:00"}
    assert await messages(api, connection, **bounds) == ["check 2", "check 1"]
    first = await listed(api, connection, page_size=3, action="check")
    assert [found["message"] for found in first["results"]] == ["check 4", "check 3", "check 2"]
    assert (first["count"], first["previous"]) == (5, None)
    second = (await api.get(first["next"])).json()
    assert [found["message"] for found in second["results"]] == ["check 1", "check 0"]
    assert (second["next"], (await listed(api, connection, page_size=3, action="check", page="last"))) == (None, second)
    path = f"{CONNECTIONS}{connection}/activity/"
    assert (await api.get(path, params={"page": 2})).status_code == 404
    known = await api.get(path)
    assert (await api.get(path, headers={"If-None-Match": known.headers["etag"]})).status_code == 304


async def test_wrong_filters_are_refused_all_at_once(api: httpx.AsyncClient) -> None:
    wrong = {"action": "check,look", "outcome": "odd", "presence": "-1", "since": "soon", "until": "2025-13-01"}
    response = await api.get(f"{CONNECTIONS}{await connect(api)}/activity/", params=wrong)
    assert response.status_code == 400
    assert {field: len(errors) for field, errors in response.json().items()} == dict.fromkeys(wrong, 1)
    assert response.json()["presence"] == ["A valid integer is required."]


async def test_nobody_reads_or_notes_what_was_done_with_anothers_connection(
    api: httpx.AsyncClient, secretive: Settings, note: Note
) -> None:
    connection, other = await connect(api), make_key(secretive.database_url, "Other", ("read",))
    note(entry(connection))
    path = f"{CONNECTIONS}{connection}/activity/"
    async with serving(secretive, other.text) as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.get(f"{CONNECTIONS}conn_no/activity/")).status_code == 404
    async with serving(secretive) as client:
        assert (await client.get(path)).status_code == 401
    note(entry(connection, message="a stranger's"), of=other.organization)
    assert await messages(api, connection) == ["Fine."]


async def test_what_a_write_did_is_noted_with_it_or_not_at_all(
    api: httpx.AsyncClient, secretive: Settings, key: Key
) -> None:
    connection = await connect(api)
    store = Store(secretive.database_url, inline_projections(), pool_size=1)
    try:
        work = Bus(store).work(Context(key.organization, "system", "request-1"))
        several = [entry(connection, "sale", "done", "Sold."), entry(connection, "end", "skipped", "End it by hand.")]
        work.save([], steps=[activity_step(key.organization, NOW, several), activity_step(key.organization, NOW, [])])
        assert await messages(api, connection) == ["End it by hand.", "Sold."]
        undone = activity_step(key.organization, NOW, [entry(connection, message="undone")])
        with pytest.raises(psycopg.errors.DivisionByZero):
            work.save([], steps=[undone, Step("1 / %b::integer", (0,))])
    finally:
        store.close()
    assert len(await messages(api, connection)) == 2


async def test_a_deleted_connection_takes_its_activity_along(
    api: httpx.AsyncClient, secretive: Settings, note: Note
) -> None:
    gone, stays = await connect(api), await connect(api, "plat_ebay")
    note(entry(gone), entry(stays))
    assert (await api.delete(f"{CONNECTIONS}{gone}/")).status_code == 204
    note(entry(gone, message="too late"), entry(stays, message="in time"))
    assert (await api.get(f"{CONNECTIONS}{gone}/activity/")).status_code == 404
    with psycopg.connect(secretive.database_url) as connection:
        left = connection.execute("SELECT message FROM activity ORDER BY id").fetchall()
    assert left == [("Fine.",), ("in time",)]
    async with Reader(secretive.database_url, size=1) as reader:
        counted = {(tally.platform, tally.entries) for tally in await tallies(reader)}
    assert counted == {("plat_discogs", 1), ("plat_ebay", 2)}


async def test_old_entries_are_forgotten_and_stay_counted(
    api: httpx.AsyncClient, secretive: Settings, note: Note
) -> None:
    connection, now = await connect(api), datetime.now(UTC)
    note(entry(connection, message="old"), at=now - timedelta(days=31))
    note(entry(connection, message="young", outcome="failed"), at=now - timedelta(days=29))
    with ActivityLog(secretive.database_url) as log:
        log.forget(30)
        assert await messages(api, connection) == ["young"]
        with psycopg.connect(secretive.database_url) as database:
            processes = "SELECT DISTINCT process FROM activity_tally WHERE entries > 0"
            # Each note came from a connection that has ended; this one's own would be another.
            assert database.execute(processes).fetchall() == [(0,)]
            log.note(key_of(database), now, [entry(connection)])
            log.forget(30)
            assert len(database.execute(processes).fetchall()) == 2
    async with Reader(secretive.database_url, size=1) as reader:
        counted = Counter({(tally.outcome): tally.entries for tally in await tallies(reader)})
    assert counted == {"done": 2, "failed": 1}


def key_of(database: psycopg.Connection[Any]) -> UUID:
    """Return the only organization."""
    [(organization,)] = database.execute("SELECT DISTINCT organization FROM connection_list").fetchall()
    found: UUID = organization
    return found


async def test_an_entry_of_a_connection_that_never_was_is_nothing(secretive: Settings, key: Key, note: Note) -> None:
    note(entry(ids.uid(ids.CONNECTION, uuid7())))
    with psycopg.connect(secretive.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM activity").fetchall() == [(0,)]


async def test_notes_wait_for_no_other_note_and_a_deletion_waits_for_them(
    api: httpx.AsyncClient, secretive: Settings, key: Key, note: Note
) -> None:
    connection = await connect(api)
    noting = activity_step(key.organization, NOW, [entry(connection, message="under way")])
    with psycopg.connect(secretive.database_url) as one, psycopg.connect(secretive.database_url) as other:
        one.execute(f"SELECT {noting.call}".encode(), noting.values)
        other.execute("SET lock_timeout = '1s'")
        other.execute(f"SELECT {noting.call}".encode(), noting.values)
        other.commit()
        deleting = asyncio.create_task(api.delete(f"{CONNECTIONS}{connection}/"))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(20):
            while other.execute(waiting).fetchall() == [(0,)] and not deleting.done():
                other.commit()
                await asyncio.sleep(0.01)
        assert not deleting.done()
        one.commit()
        assert (await deleting).status_code == 204
        assert other.execute("SELECT message FROM activity").fetchall() == []

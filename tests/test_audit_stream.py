"""The live tail as clients have it: over a socket, with writers at once, cut off and taken up again."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from litestar import Litestar

from api import audit_stream
from api.app import create_app
from api.audit_stream import BATCH_ROWS
from commands.bus import Bus
from commands.organization import RevokeKey
from commands.settings import Settings
from commands.store import Store
from commands.work import Context
from projections import tail
from projections.inline import inline_projections
from tests.clients import Key, make_key, serving
from tests.server import running
from tests.shop import Shop

STREAM = "/api/v1/audit/events/stream/"
PATIENCE_SECONDS = 30.0


@pytest.fixture
def url(plain_settings: Settings, tmp_path: Path) -> Iterator[str]:
    with running(plain_settings, tmp_path / "api.log") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url, inline_projections(), pool_size=4)
    yield store
    store.close()


class Listener:
    """A client that remembers what it got: ids, and the events they came with."""

    def __init__(self, url: str, key: Key) -> None:
        self._url = url + STREAM
        self._headers = {"Authorization": f"Bearer {key.text}"}
        self.ids: list[int] = []
        self.events: list[dict[str, object]] = []

    def listen(self, until: int | None, most: int | None = None, query: str = "") -> bool:
        """Take events up to a position, or so many; return whether the stream ended before that."""
        headers = dict(self._headers)
        if self.ids:
            headers["Last-Event-ID"] = str(self.ids[-1])
        taken = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        with httpx.stream("GET", self._url + query, headers=headers, timeout=PATIENCE_SECONDS) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            for line in response.iter_lines():
                assert time.monotonic() < deadline
                if line.startswith("id: "):
                    self.ids.append(int(line[4:]))
                elif line.startswith("data: "):
                    self.events.append(json.loads(line[6:]))
                    assert self.events[-1]["position"] == self.ids[-1]
                    taken += 1
                    if taken == most or self.ids[-1] == until:
                        return False
        return True


def positions(database_url: str, key: Key, after: int = 0) -> list[int]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT position FROM audit_event WHERE organization = %s AND position > %s ORDER BY position",
            [key.organization, after],
        ).fetchall()
    return [row[0] for row in rows]


def test_no_event_is_missed_or_doubled_across_reconnects_and_writers(
    url: str, store: Store, key: Key, database_url: str
) -> None:
    [start] = positions(database_url, key)[-1:]
    listener = Listener(url, key)
    listener.ids.append(start)

    def write(number: int) -> None:
        shop = Shop(Bus(store), key.organization)
        for turn in range(25):
            id = shop.product(title=f"{number}-{turn}", type="physical")
            shop.item(id, status="received")
            shop.revise(id, title="Changed")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    # It comes and goes while they write.
    for _ in range(12):
        assert listener.listen(None, most=7) is False
    for writer in writers:
        writer.join()
    wanted = positions(database_url, key, start)
    assert len(wanted) == 300
    assert listener.listen(until=wanted[-1]) is False
    assert listener.ids[1:] == wanted
    assert {str(event["event"]) for event in listener.events} == {
        "product.created",
        "inventory.created",
        "product.revised",
    }


def test_it_begins_now_and_tells_what_comes_of_this_organization_alone(
    url: str, store: Store, key: Key, database_url: str
) -> None:
    other = make_key(database_url, name="Other")
    Shop(Bus(store), key.organization).product(title="Before", type="physical")
    listener = Listener(url, key)

    def write() -> None:
        time.sleep(0.5)
        Shop(Bus(store), other.organization).product(title="Elsewhere", type="physical")
        shop = Shop(Bus(store), key.organization)
        shop.revise(shop.product(title="Now", type="physical"), title="Later")

    writer = threading.Thread(target=write)
    writer.start()
    listener.listen(None, most=1, query="?event=product.revised")
    writer.join()
    assert [event["data"] for event in listener.events] == [{"title": "Later"}]


def test_it_ends_when_the_key_is_revoked_and_not_before(url: str, store: Store, key: Key, database_url: str) -> None:
    own = make_key(database_url, of=key.organization)

    def revoke() -> None:
        time.sleep(1.5)
        Bus(store).execute(RevokeKey(own.id), Context(key.organization, "system", "test"))

    revoker = threading.Thread(target=revoke)
    started = time.monotonic()
    revoker.start()
    assert Listener(url, own).listen(None) is True
    revoker.join()
    assert time.monotonic() - started > 1.4
    refused = httpx.get(url + STREAM, headers={"Authorization": f"Bearer {own.text}"})
    assert refused.status_code == 401


def test_a_server_that_is_stopped_lets_go_of_its_streams(
    plain_settings: Settings, tmp_path: Path, key: Key, store: Store
) -> None:
    listener = Listener("", key)
    ended: list[bool] = []
    with running(plain_settings, tmp_path / "api.log") as port:
        listener._url = f"http://127.0.0.1:{port}{STREAM}"

        def listen() -> None:
            try:
                ended.append(listener.listen(None))
            except httpx.RemoteProtocolError:
                ended.append(False)

        thread = threading.Thread(target=listen)
        thread.start()
        time.sleep(1.0)
        assert thread.is_alive()
    # Leaving the block stops the server; it has to be gone within the time it is given.
    thread.join(timeout=15)
    assert ended == [True]


@pytest.mark.anyio
@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 18, "9" * 19])
async def test_a_last_event_id_that_is_none_is_refused(api: httpx.AsyncClient, last: str) -> None:
    for headers, query in (({"Last-Event-ID": last}, ""), ({}, f"?last_event_id={last}")):
        response = await api.get(STREAM + query, headers=headers)
        assert response.status_code == 400
        assert response.json().keys() == {"last_event_id"}


@pytest.mark.anyio
async def test_a_head_is_answered_at_once_and_holds_no_place(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MOST_FOLLOWERS", 1)
    for _ in range(3):
        assert (await api.head(STREAM)).status_code == 200


class Client:
    """A client of an app of this process, which takes what it is sent at its own pace."""

    def __init__(self, app: Litestar, key: Key, last_event_id: int) -> None:
        self._app = app
        self._headers = [
            (b"authorization", f"Bearer {key.text}".encode()),
            (b"last-event-id", str(last_event_id).encode()),
        ]
        self.chunks: list[bytes] = []
        self.may_take = asyncio.Event()
        self.may_take.set()
        self._has_left = asyncio.Event()

    async def listen(self, enough: Callable[[bytes], bool]) -> bytes:
        """Take chunks until what came is enough."""
        scope = {
            "type": "http",
            "method": "GET",
            "path": STREAM,
            "raw_path": STREAM.encode(),
            "query_string": b"",
            "headers": self._headers,
            "http_version": "1.1",
            "scheme": "http",
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
            "state": {},
            "extensions": {},
        }

        async def receive() -> dict[str, Any]:
            await self._has_left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            await self.may_take.wait()
            self.chunks.append(message.get("body", b""))
            if enough(b"".join(self.chunks)):
                self._has_left.set()

        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._app(scope, receive, send)  # type: ignore[arg-type] # litestar's types are narrower
        return b"".join(self.chunks)


def ids_of(body: bytes) -> list[int]:
    return [int(line[4:]) for line in body.decode().splitlines() if line.startswith("id: ")]


@pytest.mark.anyio
async def test_a_client_that_takes_nothing_for_a_while_gets_everything_later(
    plain_settings: Settings, store: Store, key: Key, database_url: str
) -> None:
    app = create_app(plain_settings)
    async with app.lifespan():
        client = Client(app, key, 0)
        client.may_take.clear()
        listening = asyncio.create_task(client.listen(lambda body: body.count(b"id: ") >= 302))
        shop = Shop(Bus(store), key.organization)
        for number in range(300):
            await asyncio.to_thread(shop.product, title=str(number), type="physical")
        client.may_take.set()
        assert ids_of(await listening) == positions(database_url, key)
        # No chunk is larger than what is read at once.
        assert max(chunk.count(b"id: ") for chunk in client.chunks) <= BATCH_ROWS


@pytest.mark.anyio
async def test_who_is_told_nothing_is_told_that(
    plain_settings: Settings, key: Key, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_stream, "KEEP_ALIVE_SECONDS", 0.1)
    app = create_app(plain_settings)
    async with app.lifespan():
        last = positions(database_url, key)[-1]
        body = await Client(app, key, last).listen(lambda body: body.count(b": keep-alive\n\n") == 2)
    assert body.replace(b": keep-alive\n\n", b"") == b"retry: 1000\n\n"


@pytest.mark.anyio
async def test_a_listener_that_loses_its_connection_goes_on(
    plain_settings: Settings, store: Store, key: Key, database_url: str
) -> None:
    app = create_app(plain_settings)
    async with app.lifespan():
        last = positions(database_url, key)[-1]
        client = Client(app, key, last)
        listening = asyncio.create_task(client.listen(lambda body: b"id: " in body))
        await asyncio.sleep(0.5)
        with psycopg.connect(database_url, autocommit=True) as connection:
            gone = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'deadwax tail'"
            ).fetchall()
        assert gone == [(True,)]
        Shop(Bus(store), key.organization).product(title="After", type="physical")
        assert ids_of(await listening) == positions(database_url, key, last)


@pytest.mark.anyio
async def test_there_are_no_more_streams_than_a_process_bears(
    plain_settings: Settings, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MOST_FOLLOWERS", 0)
    async with serving(plain_settings, key.text) as client:
        refused = await client.get(STREAM)
        assert (refused.status_code, refused.json()) == (503, {"detail": "Too many streams at once. Try again."})
        assert (await client.head(STREAM)).status_code == 503

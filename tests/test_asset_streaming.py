"""Uploads of assets as they come over a socket: large, slow, stalled, too large, broken off."""

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from msgspec.structs import replace

from commands.blobs import LEAST_PART_BYTES
from commands.settings import Settings
from tests.clients import PRODUCTS, Key
from tests.importing import eventually
from tests.server import running
from tests.test_bodies import connected, status
from tests.test_imports_api import stored_files

MIB = 1024**2
BOUNDARY = "B"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
FILE = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="album.zip"\r\n\r\n'.encode()
END = f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def asset_settings(plain_settings: Settings, s3: Settings) -> Settings:
    limits = {"asset_limit_bytes": 200 * MIB, "body_timeout_seconds": 2.0}
    return replace(plain_settings, s3_bucket=s3.s3_bucket, **limits)


@pytest.fixture
def port(asset_settings: Settings, tmp_path: Path) -> Iterator[int]:
    log = tmp_path / "api.log"
    with running(asset_settings, log) as port:
        yield port
    assert "unexpected error" not in log.read_text()


@pytest.fixture
def shop(port: int, key: Key) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key.text}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        yield client


def pack(client: httpx.Client) -> str:
    """Create a product; return the path of its assets."""
    uid = client.post(PRODUCTS, json={"title": "Sample pack", "type": "digital"}).json()["uid"]
    return f"{PRODUCTS}{uid}/digital-assets/"


def head(path: str, key: Key, length: int | None) -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer {key.text}\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\n{size}\r\n\r\n"
    ).encode()


def sent(size: int) -> Iterator[bytes]:
    block = bytes(MIB)
    yield FILE
    for start in range(0, size, MIB):
        yield block[: min(MIB, size - start)]
    yield END


def rows(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def nothing_is_left(settings: Settings) -> bool:
    return not stored_files(settings) and not rows(settings, "SELECT FROM asset_file WHERE free_since IS NULL")


def test_memory_stays_flat_and_no_disk_is_used_while_a_large_file_comes(port: int, shop: httpx.Client) -> None:
    path, size = pack(shop), 160 * MIB
    server = {found.laddr.port: found.pid for found in psutil.net_connections("tcp") if found.status == "LISTEN"}
    processes = [psutil.Process(server[port])]
    processes += [child for parent in list(processes) for child in parent.children(recursive=True)]
    warm = shop.post(path, content=b"".join(sent(12 * MIB)), headers=FORM)
    assert warm.status_code == 201
    before = {process: process.memory_info().rss for process in processes}
    most = dict(before)
    spooled: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for process in processes:
                most[process] = max(most[process], process.memory_info().rss)
                spooled.update(f.path for f in process.open_files() if f.path.startswith(tempfile.gettempdir()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    length = str(size + len(FILE) + len(END))
    response = shop.post(path, content=sent(size), headers={**FORM, "Content-Length": length})
    done.set()
    watcher.join()
    assert response.status_code == 201
    assert response.json()["size"] == size
    assert max(most[process] - before[process] for process in processes) < 40 * MIB
    assert not [path for path in spooled if "metrics" not in path and not path.endswith(".log")]


def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    port: int, key: Key, shop: httpx.Client, asset_settings: Settings
) -> None:
    path = pack(shop)
    with connected(port) as connection:
        connection.sendall(head(path, key, 100 * MIB) + FILE + bytes(2 * LEAST_PART_BYTES + MIB))
        eventually(lambda: bool(rows(asset_settings, "SELECT FROM asset_file")), 10)
    eventually(lambda: nothing_is_left(asset_settings), 10)
    assert shop.get(path).json() == []


def test_a_file_that_stalls_is_given_up(port: int, key: Key, shop: httpx.Client, asset_settings: Settings) -> None:
    path = pack(shop)
    with connected(port) as connection:
        connection.sendall(head(path, key, 100 * MIB) + FILE + bytes(2 * LEAST_PART_BYTES + MIB))
        assert status(connection) == 408
    eventually(lambda: nothing_is_left(asset_settings), 10)


def test_what_is_too_large_is_refused_as_soon_as_that_is_known(
    port: int, key: Key, shop: httpx.Client, asset_settings: Settings
) -> None:
    path = pack(shop)
    with connected(port) as connection:
        connection.sendall(head(path, key, 300 * MIB) + FILE)
        assert status(connection) == 413
    # The limit of a file is 200 MiB; this one does not say how large it is.
    with contextlib.suppress(httpx.WriteError):
        # Or the server has closed while this side is still sending.
        assert shop.post(path, content=sent(210 * MIB), headers=FORM).status_code == 413
    eventually(lambda: nothing_is_left(asset_settings), 10)
    assert shop.get(path).json() == []


def test_a_form_that_ends_early_is_none(port: int, key: Key, shop: httpx.Client, asset_settings: Settings) -> None:
    path = pack(shop)
    for cut in (FILE + bytes(6 * MIB), FILE + b"x" + END[:-6], FILE[:-3]):
        response = shop.post(path, content=cut, headers=FORM)
        assert response.status_code == 400
        assert response.json()["detail"].startswith("Multipart form parse error")
    eventually(lambda: nothing_is_left(asset_settings), 10)


def test_slow_clients_stand_in_nobodys_way(port: int, key: Key, shop: httpx.Client, asset_settings: Settings) -> None:
    path = pack(shop)
    slow = [connected(port) for _ in range(20)]
    try:
        for connection in slow:
            connection.sendall(head(path, key, 50 * MIB) + FILE + bytes(MIB))
        started = time.monotonic()
        for number in range(3):
            files = {"file": (f"{number}.zip", bytes(6 * MIB))}
            assert shop.post(path, files=files).status_code == 201
            assert shop.get(path).status_code == 200
            _trickle(slow)
        assert len(shop.get(path).json()) == 3
        assert time.monotonic() - started < 60
    finally:
        for connection in slow:
            connection.close()
    eventually(lambda: len(stored_files(asset_settings)) == 3, 10)


def _trickle(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.sendall(b"x")

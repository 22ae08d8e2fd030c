"""Bodies as they come over a socket: too slow, too big, cut short."""

import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from commands.settings import Settings
from tests.clients import Key
from tests.server import running

HEAD = "POST /api/v1/products/ HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer {key}\r\n"


@pytest.fixture
def port(plain_settings: Settings, tmp_path: Path) -> Iterator[int]:
    with running(replace(plain_settings, body_timeout_seconds=1.0), tmp_path / "api.log") as port:
        yield port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def status(connection: socket.socket) -> int:
    """Read one answer whole, so that the next one can follow it."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def test_a_body_that_stalls_is_given_up(port: int, key: Key) -> None:
    with connected(port) as connection:
        head = HEAD.format(key=key.text)
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        started = time.monotonic()
        assert status(connection) == 408
        assert 0.8 < time.monotonic() - started < 3


def test_a_body_that_trickles_is_given_up(port: int, key: Key) -> None:
    with connected(port) as connection:
        head = HEAD.format(key=key.text)
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.settimeout(0.2)
        started = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - started < 5:
            connection.sendall(b"1\r\n \r\n")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")


def test_an_announced_giant_is_refused_before_it_is_sent(port: int, key: Key) -> None:
    with connected(port) as connection:
        head = HEAD.format(key=key.text)
        connection.sendall(f"{head}Content-Length: 100000000000\r\n\r\n{{".encode())
        assert status(connection) == 413


def test_a_chunked_giant_is_refused_early_and_not_kept(port: int, key: Key) -> None:
    [server] = [c for c in psutil.net_connections() if c.status == "LISTEN" and c.laddr[1] == port][:1]
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    sent = 0
    with connected(port) as connection:
        head = HEAD.format(key=key.text)
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            for _ in range(1600):
                connection.sendall(chunk)
                sent += 65536
        except OSError:
            pass
        else:
            assert status(connection) == 413
    assert process.memory_info().rss - before < 40 * 1024**2


def test_a_client_that_goes_away_leaves_the_server_working(port: int, key: Key) -> None:
    for _ in range(5):
        with connected(port) as connection:
            connection.sendall(f"{HEAD.format(key=key.text)}Content-Length: 100\r\n\r\n{{".encode())
    with connected(port) as connection:
        body = '{"title": "Abbey Road"}'
        connection.sendall(f"{HEAD.format(key=key.text)}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert status(connection) == 201


def test_a_refusal_that_needs_no_body_leaves_the_connection_to_the_next_request(port: int, key: Key) -> None:
    refusals = {
        "POST /api/v1/products/": 401,
        "PUT /api/v1/products/": 405,
        "PATCH /api/v1/products/prod_x/": 404,
        "DELETE /api/v1/products/prod_x/": 404,
        "POST /api/v1/products/prod_x/marketplace-presences/": 404,
    }
    for line, refused in refusals.items():
        start = HEAD.replace("POST /api/v1/products/", line).format(key="nobody" if refused == 401 else key.text)
        with connected(port) as connection:
            for _ in range(2):
                connection.sendall(f"{start}Content-Length: 2\r\n\r\n".encode())
                # Clients send the body in a packet of its own, and servers may answer before it comes.
                time.sleep(0.02)
                connection.sendall(b"{}")
                assert status(connection) == refused, line
            connection.sendall(f"{HEAD.format(key=key.text)}Content-Length: 2\r\n\r\n{{}}".encode())
            assert status(connection) == 400, line


def test_a_body_that_nobody_wants_and_that_does_not_come_holds_nothing_up(port: int) -> None:
    with connected(port) as connection:
        started = time.monotonic()
        connection.sendall(f"{HEAD.format(key='nobody')}Content-Length: 200\r\n\r\n{{".encode())
        assert status(connection) == 401
        assert time.monotonic() - started < 3
    with connected(port) as connection:
        connection.sendall(f"{HEAD.format(key='nobody')}Content-Length: 200000000\r\n\r\n".encode())
        connection.sendall(b" " * 200_000)
        assert status(connection) == 401


@pytest.mark.parametrize(
    "path", ["//api/v1/products/", "/api/v1/products//", "/api/v1/products/%2e%2e/", "/api/v1/products/%FF/"]
)
def test_odd_paths_are_answered(port: int, key: Key, path: str) -> None:
    with connected(port) as connection:
        connection.sendall(
            HEAD.format(key=key.text).replace("POST /api/v1/products/", f"GET {path}").encode() + b"\r\n"
        )
        assert status(connection) in {200, 400, 404}

"""A vendor behind a socket: real HTTP on loopback."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.vendor import Vendor
from sandbox.wire import Request

MAX_BODY_BYTES = 4 * 1024**2


def _handler(vendor: Vendor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One answer is one packet: without it each waits for the other side's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            reply = vendor.handle(
                Request(
                    method=self.command,
                    path=parts.path,
                    query=parse_qs(parts.query, keep_blank_values=True),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(min(size, MAX_BODY_BYTES)),
                    client=self.client_address[0],
                )
            )
            if reply.hangs is not None:
                time.sleep(reply.hangs)
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("X-Sandbox", vendor.name)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.status != 204:
                self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle  # noqa: N815 - the library looks for these

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Server:
    """Answers from threads of its own until it is closed; `port` 0 takes a free one."""

    def __init__(self, vendor: Vendor, port: int = 0, host: str = "127.0.0.1") -> None:
        self.vendor = vendor
        self._server = _Server((host, port), _handler(vendor))
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=vendor.name)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.vendor.close()


@contextmanager
def serving(vendor: Vendor, port: int = 0) -> Iterator[Server]:
    server = Server(vendor, port)
    try:
        yield server
    finally:
        server.close()

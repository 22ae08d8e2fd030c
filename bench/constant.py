"""The limit that the list is held against: the same server and framework, one handler, bytes from memory."""

import os
import sys
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server
from litestar import Litestar, Response, get

from bench.servers import PROCESSES


def application() -> Litestar:
    body = Path(os.environ["BENCH_BODY"]).read_bytes()

    @get("/", sync_to_thread=False)
    def answer() -> Response[bytes]:
        return Response(body, media_type="application/json")

    return Litestar([answer], openapi_config=None)


if __name__ == "__main__":
    os.environ["BENCH_BODY"] = sys.argv[2]
    Server(
        "bench.constant:application",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        factory=True,
        workers=PROCESSES,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve()

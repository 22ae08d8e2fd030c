"""Answers: a status, finished bytes and raw headers, sent as they are."""

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

JSON = b"application/json"
Header = tuple[bytes, bytes]

encode = msgspec.json.Encoder(decimal_format="string").encode


class Answer:
    """An ASGI response. A litestar handler that returns one has nothing serialised or copied on its way out."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, body: bytes = b"", status: int = 200, headers: Iterable[Header] = (), media_type: bytes = JSON
    ) -> None:
        self.status = status
        self.body = body
        self.headers: list[Header] = [*headers]
        if status not in {204, 304}:
            self.headers += [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def json_answer(value: Any, status: int = 200, headers: Iterable[Header] = ()) -> Answer:
    return Answer(encode(value), status, headers)

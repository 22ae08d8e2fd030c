"""What goes over the wire of a test server: requests, replies, refusals and what a fault does to them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

JSON = "application/json"


class Request(NamedTuple):
    """One request. Names of headers are lower-case; `fault` is the kind that the vendor itself is to show."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    client: str
    fault: str | None = None

    def parameter(self, name: str) -> str | None:
        return self.query[name][-1] if name in self.query else None


class Reply(NamedTuple):
    """`hangs` has no answer come at all: the connection is closed, after so many seconds."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    content_type: str = JSON
    hangs: float | None = None


def answered(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(value).encode(), headers or {})


class Refusal(Exception):
    """A request that the real server refuses. `violation` is what it is counted as; None where it is no one's fault."""

    def __init__(self, reply: Reply, violation: str | None = None) -> None:
        super().__init__(violation or str(reply.status))
        self.reply = reply
        self.violation = violation


class Fault(NamedTuple):
    """What befalls the next `times` requests that `method` (all where empty) and the beginning of the path fit.

    `status` answers so without doing anything, with `retry_after` where it is given; `html` answers with a page
    instead; `lost` does what is asked and closes without an answer, after `seconds`; `slow` answers after `seconds`;
    `garbled` does what is asked and says half of the answer; other kinds are the vendor's own.
    """

    kind: str
    method: str = ""
    path: str = "/"
    times: int = 1
    status: int = 503
    retry_after: int | None = None
    seconds: float = 0.0

    def fits(self, request: Request) -> bool:
        return self.method in {"", request.method} and request.path.startswith(self.path)

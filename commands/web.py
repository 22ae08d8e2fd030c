"""The way out to other people's servers: one request, one answer, with limits on both. The door to httpx."""

import ssl
import time
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
import msgspec

from domain.errors import DeadwaxError

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 20.0
MAX_BODY_BYTES = 16 * 1024**2
USER_AGENT = "Deadwax/0.1"


def user_agent(public_url: str) -> str:
    """Return what we call ourselves where it has to be ours alone: Discogs answers nobody else."""
    return f"{USER_AGENT} +{public_url}" if public_url else USER_AGENT


class Unreachable(DeadwaxError):
    """No answer came. Whether the request was acted on is not known."""


class Unreadable(DeadwaxError):
    """The answer is not what it should be."""


class Reply(NamedTuple):
    """An answer with its whole body. Names of headers are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON with numbers as exact decimals. Raises Unreadable, for a page of HTML too."""
        try:
            return _decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable("The answer is no JSON.") from error


@cache
def _trusted() -> ssl.SSLContext:
    """Return whom to trust, which takes 30 ms to read: once in a process."""
    return httpx.create_ssl_context()


_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Web:
    """Connections that are kept open. Redirects are not followed: nobody we ask has reason to send us elsewhere."""

    def __init__(self, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._answer_seconds = answer_seconds
        timeout = httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS)
        headers = {"User-Agent": USER_AGENT}
        self._client = httpx.Client(timeout=timeout, follow_redirects=False, headers=headers, verify=_trusted())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Raises Unreachable, also where the answer is not over in time; Unreadable for more than MAX_BODY_BYTES."""
        until = time.monotonic() + self._answer_seconds
        try:
            with self._client.stream(method, url, headers=headers, content=body) as response:
                received = bytearray()
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > MAX_BODY_BYTES:
                        raise Unreadable("The answer is too large.")
                    if time.monotonic() > until:
                        # httpx only waits so long for each piece.
                        raise Unreachable("No answer came (it was not over in time).")
                return Reply(response.status_code, dict(response.headers), bytes(received))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"No answer came ({type(error).__name__}).") from error

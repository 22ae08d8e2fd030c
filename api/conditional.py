"""Entity tags: If-None-Match and If-Match (RFC 9110, 13.1)."""

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b

from litestar.types import Scope

from api.answers import Answer, Header
from api.requests import header

ANY = "*"
CACHED: Header = (b"cache-control", b"private, no-cache")
_TAG = re.compile(r'(W/)?("[^"]*")')


def is_known(scope: Scope, etag: str) -> bool:
    """Say whether If-None-Match names this tag, weak or not: the client has what it asks for."""
    given = header(scope, b"if-none-match")
    if given is None:
        return False
    return given.strip() == ANY or any(tag == etag for _, tag in _TAG.findall(given))


def tagged(scope: Scope, body: bytes, headers: Iterable[Header] = (CACHED,)) -> Answer:
    """Answer with a body whose tag is its own digest, or with 304 where the client has it."""
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    mine = [(b"etag", tag.encode()), *headers]
    return Answer(status=304, headers=mine) if is_known(scope, tag) else Answer(body, headers=mine)


def accepted(scope: Scope) -> Callable[[str], bool] | None:
    """Return what says whether If-Match lets a write of the object with some tag through; None without If-Match."""
    given = header(scope, b"if-match")
    if given is None:
        return None
    if given.strip() == ANY:
        return lambda _: True
    tags = {tag for weak, tag in _TAG.findall(given) if not weak}
    return tags.__contains__

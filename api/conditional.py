"""Entity tags: If-None-Match and If-Match (RFC 9110, 13.1)."""

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b

from litestar.types import Scope

from api.answers import Answer, Header
from api.requests import header
from projections.documents import DOCUMENT_VERSION

ANY = "*"
CACHED: Header = (b"cache-control", b"private, no-cache")
_TAG = re.compile(r'(W/)?("[^"]*")')
_AGE = re.compile(r'\+[0-9]+"$')
# Within a string the name's quotes would be escaped.
_CHECKED = re.compile(r'"last_checked_at":"([^"]*)"')
_NO_DIGIT = re.compile(r"\D")


def is_known(scope: Scope, etag: str) -> bool:
    """Say whether If-None-Match names this tag, weak or not: the client has what it asks for."""
    given = header(scope, b"if-none-match")
    if given is None:
        return False
    return given.strip() == ANY or any(tag == etag for _, tag in _TAG.findall(given))


def unless_known(scope: Scope, body: bytes, tag: str, headers: Iterable[Header] = (CACHED,)) -> Answer:
    """Answer a GET with a body that has this tag, or with 304 where the client has it."""
    mine = [(b"etag", tag.encode()), *headers]
    return Answer(status=304, headers=mine) if is_known(scope, tag) else Answer(body, headers=mine)


def tagged(scope: Scope, body: bytes, headers: Iterable[Header] = (CACHED,)) -> Answer:
    """Answer as `unless_known` does; the tag is the body's own digest."""
    return unless_known(scope, body, f'"{blake2b(body, digest_size=12).hexdigest()}"', headers)


def content_tag(document: str) -> str:
    """Return the tag of an object that its stored document tells apart, holes and all. What only time changes comes
    last: an item's age, or when a presence was last checked."""
    content, _, age = document.rpartition(',"days_in_inventory":')
    if content:
        return f'"{DOCUMENT_VERSION}-{_digest(content)}+{age[:-1]}"'
    checked = _CHECKED.search(document)
    if checked is None:
        return f'"{DOCUMENT_VERSION}-{_digest(document)}"'
    unchecked = _CHECKED.sub('"last_checked_at":null', document, count=1)
    return f'"{DOCUMENT_VERSION}-{_digest(unchecked)}+{_NO_DIGIT.sub("", checked[1])}"'


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()


def accepted(scope: Scope) -> Callable[[str], bool] | None:
    """Return what says whether If-Match lets a write of the object with some tag through; None without If-Match.

    What only time has changed, an age or a check behind a `+` in the tag, does not make a write stale.
    """
    given = header(scope, b"if-match")
    if given is None:
        return None
    if given.strip() == ANY:
        return lambda _: True
    tags = {_AGE.sub('"', tag) for weak, tag in _TAG.findall(given) if not weak}
    return lambda tag: _AGE.sub('"', tag) in tags

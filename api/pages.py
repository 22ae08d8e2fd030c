"""Pagination: ?page or ?cursor and ?page_size, and the addresses of the pages beside this one."""

import re

import msgspec

from api.errors import InvalidPage
from api.requests import Query

LAST = "last"
MAX_PAGE_SIZE = 100
_DIGITS = re.compile(r"\d+", re.ASCII)
_MAX_DIGITS = 18


def page_number(query: Query) -> int | None:
    """Return the page asked for, None for the last. Raises InvalidPage."""
    text = query.last("page")
    if text is None:
        return 1
    if text == LAST:
        return None
    if not _DIGITS.fullmatch(text) or len(text) > _MAX_DIGITS or int(text) == 0:
        raise InvalidPage
    return int(text)


def page_size(query: Query, default: int) -> int:
    """Return the page size asked for, at most MAX_PAGE_SIZE; the default for what is no positive number."""
    text = query.last("page_size")
    if text is None or not _DIGITS.fullmatch(text):
        return default
    size = int(text) if len(text) <= _MAX_DIGITS else MAX_PAGE_SIZE
    return min(size, MAX_PAGE_SIZE) if size else default


def page_body(url: str, query: Query, *, count: int, number: int, size: int, results: bytes) -> bytes:
    """Return the JSON of one page. `url` has no query; `results` is the inside of the array."""
    following = _page_link(url, query, number + 1) if number * size < count else None
    previous = _page_link(url, query, number - 1) if number > 1 else None
    return _body(count, following, previous, results)


def walk_body(url: str, query: Query, *, count: int | None, cursor: str | None, results: bytes) -> bytes:
    """Return the JSON of one step of a walk, which goes forwards alone; `cursor` is where the next one begins. Without
    a `count` it tells none."""
    following = None if cursor is None else _link(url, query.without("cursor", "page"), f"cursor={cursor}")
    return _body(count, following, None, results)


def _body(count: int | None, following: str | None, previous: str | None, results: bytes) -> bytes:
    return b'{%b"next":%s,"previous":%s,"results":[%s]}' % (
        b"" if count is None else b'"count":%d,' % count,
        msgspec.json.encode(following),
        msgspec.json.encode(previous),
        results,
    )


def _page_link(url: str, query: Query, number: int) -> str:
    return _link(url, query.without("page"), "" if number == 1 else f"page={number}")


def _link(url: str, others: str, own: str) -> str:
    parts = "&".join(part for part in (others, own) if part)
    return f"{url}?{parts}" if parts else url

"""Byte ranges of a file and what a client says it has of it already (RFC 9110, 13 and 14)."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import NamedTuple

MAX_HEADER = 1000
_SPEC = re.compile(r"(?:(\d+)-(\d*)|-(\d+))", re.ASCII)
_UNIT = re.compile(r"bytes[ \t]*=(.*)", re.IGNORECASE | re.DOTALL)


class Span(NamedTuple):
    """Bytes from `start` up to and without `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Unsatisfiable(Exception):
    """No range that was asked for has a byte of the file in it."""


def asked_span(header: str | None, size: int) -> Span | None:
    """Return the part of a file of `size` bytes that a Range header asks for, None where the whole is to be sent.

    So it is without a header, with one that is not understood, and where its ranges leave gaps: several parts in one
    answer are more than a client may expect. Ranges that lie together are one. Raises Unsatisfiable.
    """
    specs = _specs(header)
    if specs is None:
        return None
    spans = sorted(span for spec in specs if (span := _span(spec, size)) is not None)
    if not spans:
        raise Unsatisfiable
    start, end = spans[0]
    for span in spans[1:]:
        if span.start > end:
            return None
        end = max(end, span.end)
    return Span(start, end)


def _specs(header: str | None) -> list[tuple[str, str, str]] | None:
    """Return (first, last, suffix) of each range, one or two of them empty; None where it is no valid list of them."""
    if header is None or len(header) > MAX_HEADER or not (found := _UNIT.fullmatch(header.strip(" \t"))):
        return None
    specs = []
    for piece in found[1].split(","):
        if not (text := piece.strip(" \t")):
            continue
        spec = _SPEC.fullmatch(text)
        if spec is None or (spec[2] and int(spec[2]) < int(spec[1])):
            return None
        specs.append((spec[1] or "", spec[2] or "", spec[3] or ""))
    return specs or None


def _span(spec: tuple[str, str, str], size: int) -> Span | None:
    first, last, suffix = spec
    if suffix:
        start, end = max(size - int(suffix), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    return Span(start, end) if start < end else None


def http_date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC).replace(microsecond=0), usegmt=True)


def parsed_date(text: str) -> datetime | None:
    """Return the moment that an HTTP date names; None where it is none."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def still_is(if_range: str | None, tag: str, modified: datetime) -> bool:
    """Say whether an If-Range header, a strong tag or a date, names the file as it is; without one it does."""
    if if_range is None:
        return True
    given = if_range.strip()
    if given.startswith(('"', "W/")):
        return given == tag
    return parsed_date(given) == modified.replace(microsecond=0)

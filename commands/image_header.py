"""What an image file says of itself, read without decoding a pixel: what decoding it would cost is known before."""

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

MAX_PARTS = 100_000
"""Segments, chunks or blocks of a file; a file of the largest size that is none of a bomb has a few thousand."""

_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_JPEG_FRAMES = {0xC0: False, 0xC1: False, 0xC2: True}
_JPEG_OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END, _SCAN = 0xD9, 0xDA
_PNG = b"\x89PNG\r\n\x1a\n"


class Unreadable(Exception):
    """The file is none of the kinds that are read here, or contradicts itself."""


class Header(Struct, frozen=True, kw_only=True):
    """`width` and `height` are in pixels, as stored. `scans` are a JPEG's passes over its pixels, `coefficient_bytes`
    what it makes the decoder keep of them all at once. `largest_pixels` is the largest canvas that any frame wants."""

    format: Literal["JPEG", "PNG", "GIF", "WEBP"]
    width: int
    height: int
    largest_pixels: int = 0
    frames: int = 1
    scans: int = 1
    coefficient_bytes: int = 0
    is_lossless: bool = False

    @property
    def pixels(self) -> int:
        return max(self.width * self.height, self.largest_pixels)


def read_header(data: bytes) -> Header:
    """Raises Unreadable."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            header = _jpeg(data)
        elif data.startswith(_PNG):
            header = _png(data)
        elif data.startswith((b"GIF87a", b"GIF89a")):
            header = _gif(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            header = _webp(data)
        else:
            raise Unreadable
    except IndexError:
        raise Unreadable from None
    if not (header.width and header.height and header.frames):
        raise Unreadable
    return header


def _jpeg(data: bytes) -> Header:
    at, scans, frame, is_progressive = 2, 0, b"", False
    for _ in range(MAX_PARTS):
        # Between scans too: their own data holds no marker.
        found = _JPEG_MARKER.search(data, at)
        if found is None or data[found.end() - 1] == _END:
            break
        marker, at = data[found.end() - 1], found.end()
        length = _big(data, at, 2)
        if marker in _JPEG_OTHER_FRAMES or (marker in _JPEG_FRAMES and frame):
            raise Unreadable
        if marker in _JPEG_FRAMES:
            frame, is_progressive = data[at + 2 : at + length], _JPEG_FRAMES[marker]
        scans += marker == _SCAN
        at += max(length, 2)
    else:
        raise Unreadable
    if not scans or len(frame) < 6 + 3 * frame[5] or frame[0] != 8:
        raise Unreadable
    width, height = _big(frame, 3, 2), _big(frame, 1, 2)
    coefficients = 0
    if is_progressive or scans > 1:
        samplings = [(byte >> 4, byte & 15) for byte in frame[7 : 6 + 3 * frame[5] : 3]]
        most = max((x for x, _ in samplings), default=0) * max((y for _, y in samplings), default=0)
        if not most:
            raise Unreadable
        coefficients = 2 * width * height * sum(x * y for x, y in samplings) // most
    return Header(format="JPEG", width=width, height=height, scans=scans, coefficient_bytes=coefficients)


def _png(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        raise Unreadable
    frames, last = 0, b""
    for last, _, _ in _chunks(data, 8, "big"):
        frames += last == b"fcTL"
        if last == b"IEND":
            break
    if last != b"IEND":
        raise Unreadable
    return Header(format="PNG", width=_big(data, 16, 4), height=_big(data, 20, 4), frames=max(1, frames))


def _gif(data: bytes) -> Header:
    """The first frame alone is decoded; the others are walked past."""
    width, height = _little(data, 6, 2), _little(data, 8, 2)
    at, frames, largest = 13 + _colours(data[10]), 0, 0
    for _ in range(MAX_PARTS):
        kind = data[at] if at < len(data) else 0x3B
        if kind == 0x3B:
            return Header(format="GIF", width=width, height=height, largest_pixels=largest, frames=frames)
        if kind == 0x21:
            at = _past_blocks(data, at + 2)
        elif kind == 0x2C:
            right = _little(data, at + 1, 2) + _little(data, at + 5, 2)
            bottom = _little(data, at + 3, 2) + _little(data, at + 7, 2)
            if not frames:
                # Some files promise less than their first frame takes.
                width, height = max(width, right), max(height, bottom)
            largest = max(largest, max(width, right) * max(height, bottom))
            frames += 1
            at = _past_blocks(data, at + 11 + _colours(data[at + 9]))
        else:
            break
    raise Unreadable


def _colours(flags: int) -> int:
    """Return how many bytes the table of colours takes that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _past_blocks(data: bytes, at: int) -> int:
    while length := data[at]:
        at += length + 1
    return at + 1


def _webp(data: bytes) -> Header:
    if _little(data, 4, 4) + 8 > len(data):
        raise Unreadable
    width = height = frames = 0
    is_lossless = False
    for kind, start, _ in _chunks(data, 12, "little"):
        if kind == b"VP8X":
            width, height = _little(data, start + 4, 3) + 1, _little(data, start + 7, 3) + 1
        elif kind == b"ANMF":
            frames += 1
            is_lossless |= data[start + 16 : start + 20] == b"VP8L"
        elif kind == b"VP8L":
            is_lossless, bits = True, _little(data, start + 1, 4)
            width, height = width or (bits & 0x3FFF) + 1, height or (bits >> 14 & 0x3FFF) + 1
        elif kind == b"VP8 ":
            width = width or _little(data, start + 6, 2) & 0x3FFF
            height = height or _little(data, start + 8, 2) & 0x3FFF
    return Header(format="WEBP", width=width, height=height, frames=max(1, frames), is_lossless=is_lossless)


def _chunks(data: bytes, at: int, order: Literal["big", "little"]) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, where its content starts, its length) of a PNG's ("big") or a RIFF file's ("little") chunks."""
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return
        if order == "big":
            length, kind, after = _big(data, at, 4), data[at + 4 : at + 8], 4
        else:
            length, kind, after = _little(data, at + 4, 4), data[at : at + 4], 0
            after = length & 1
        yield kind, at + 8, length
        at += 8 + length + after
    raise Unreadable


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_taken(data, at, size), "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_taken(data, at, size), "little")


def _taken(data: bytes, at: int, size: int) -> bytes:
    """Raises IndexError where the file ends before."""
    if at + size > len(data):
        raise IndexError
    return data[at : at + size]

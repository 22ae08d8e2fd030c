"""Which encoding a file is written in. The whole file is looked at, in pieces, and memory stays flat.

UTF-8 proves itself. Nearly every byte sequence is valid in both cp1252 and Mac Roman, so the neighbours decide: the
bytes of Björk in Mac Roman are Bjšrk in cp1252, those of Don’t in cp1252 are Donít in Mac Roman.
"""

import codecs
import re
from collections import Counter
from typing import BinaryIO

from commands.imports.errors import UnreadableFile
from commands.imports.plausibility import plausibility

UTF_8, CP1252, MAC_ROMAN = "utf-8-sig", "cp1252", "mac_roman"
CHUNK_BYTES = 1 << 18
MAX_CONTEXTS = 20_000
CP1252_PRIOR = 0.5
CLASSIC_MAC_LINE_ENDS_PRIOR = 1.0

# The 4-byte mark first: it starts with the 2-byte one.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF_8_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{1,24}")


def detect(file: BinaryIO) -> str:
    """Return the codec's name; `file` is left at its start. Raises UnreadableFile for an empty file."""
    file.seek(0)
    head = file.read(4096)
    file.seek(0)
    if not head:
        raise UnreadableFile("The submitted file is empty.")
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if (wide := _unmarked_utf_16(head)) is not None:
        return wide
    name = UTF_8 if _is_utf_8(file) else _single_byte(file)
    file.seek(0)
    return name


def named(name: str) -> str:
    """Return the codec for a name that a person gave. Raises UnreadableFile for one that Python has not."""
    try:
        codec = codecs.lookup(name)
        known = codec.name
        "".encode(known)  # Some codecs (hex, zip) are not for text.
    except (LookupError, ValueError):
        raise UnreadableFile(f"Unknown encoding: {name}. Known ones are utf-8, cp1252, mac_roman, …") from None
    return UTF_8 if known == "utf-8" else known


def _unmarked_utf_16(head: bytes) -> str | None:
    """Mostly Latin text in UTF-16 has a NUL in every other byte, which no 8-bit text has."""
    half = max(len(head) // 2, 1)
    if head[1::2].count(0) / half > 0.4 and head[::2].count(0) / half < 0.05:
        return "utf-16-le"
    if head[::2].count(0) / half > 0.4 and head[1::2].count(0) / half < 0.05:
        return "utf-16-be"
    return None


def _is_utf_8(file: BinaryIO) -> bool:
    """One damaged character does not make a UTF-8 file another: its rows are refused, the others are read."""
    sequences = broken = 0
    kept = b""
    file.seek(0)
    while piece := file.read(CHUNK_BYTES):
        if not kept and piece.isascii():
            continue
        piece = kept + piece
        # A sequence cut by the end of the piece waits for the next one.
        cut = len(piece) - next((n for n in (1, 2, 3) if piece[-n:][:1] >= b"\xc0"), 0)
        whole, kept = piece[:cut], piece[cut:]
        rest, found = _UTF_8_SEQUENCE.subn(b"", whole)
        sequences += found
        broken += len(_HIGH.findall(rest))
    broken += len(_HIGH.findall(_UTF_8_SEQUENCE.sub(b"", kept)))
    return broken == 0 or sequences > broken


def _single_byte(file: BinaryIO) -> str:
    runs: Counter[tuple[bytes, int, int]] = Counter()
    returns = feeds = 0
    file.seek(0)
    while piece := file.read(CHUNK_BYTES):
        returns += piece.count(b"\r")
        feeds += piece.count(b"\n")
        for run in _HIGH_RUN.finditer(piece):
            start = max(run.start() - 4, 0)
            key = (piece[start : run.end() + 4], run.start() - start, run.end() - start)
            if len(runs) < MAX_CONTEXTS or key in runs:
                runs[key] += 1

    def weigh(codec: str) -> float:
        return sum(plausibility(text.decode(codec, "replace"), i, j) * n for (text, i, j), n in runs.items())

    mac = weigh(MAC_ROMAN) + (CLASSIC_MAC_LINE_ENDS_PRIOR if returns and not feeds else 0)
    return MAC_ROMAN if mac > weigh(CP1252) + CP1252_PRIOR else CP1252

"""Words: how text becomes what the search finds. The projector and the query use the same rules."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from uuid import UUID

from domain.ids import uid

MAX_WORD_CHARACTERS = 64
MAX_VECTOR_BYTES = 400_000
MAX_POSITION = 16_000
EXPANSION = 1_000
FIELD_GAP = 8
MAX_JOINED_PARTS = 4

# Letters that Unicode does not take apart: what their readers type where a keyboard lacks them.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_MARKS = ".,;:!?()[]'\"-"
_RUNS = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r'"([^"]*)"?|([^"\s]+)')


def fold(text: str) -> str:
    """Return text without case and accents (NFKD, combining marks dropped)."""
    if text.isascii():
        return text.lower()
    # Some signs stand for a whole sentence: a long text of them would hold everybody up for seconds.
    plain = unicodedata.normalize("NFKD", text.casefold())[: 2 * len(text) + EXPANSION]
    return "".join(c for c in plain if not unicodedata.combining(c)).translate(_LETTERS)


@lru_cache(maxsize=4096)
def scope(organization: UUID) -> str:
    """Return the mark that leads each word of an organization, so that an index range holds no other's words."""
    return uid("", organization)[-6:]


def split(chunk: str) -> list[str]:
    """Return the words of one chunk of folded text (no white space): its letter and digit runs, else itself."""
    runs = _RUNS.findall(chunk)
    return [run[:MAX_WORD_CHARACTERS] for run in runs] or [chunk[:MAX_WORD_CHARACTERS]]


def _spellings(words: list[str]) -> Iterator[str]:
    """Yield the runs of neighbours written together: kt, ins, 114 gives ktins, ktins114, ins114."""
    for start in range(len(words)):
        for end in range(start + 2, min(len(words), start + MAX_JOINED_PARTS) + 1):
            yield "".join(words[start:end])[:MAX_WORD_CHARACTERS]


@lru_cache(maxsize=8192)
def _apart(chunk: str) -> tuple[list[str], list[str]]:
    """Return the words of a chunk, and their runs written together. Tags and catalogue numbers come again and again."""
    words = split(chunk)
    return words, list(_spellings(words))


def vector(
    organization: UUID, texts: Iterable[str | None], identifiers: Iterable[str | None] = (), *, position: int = 1
) -> str:
    """Return a tsvector literal of all the texts. Phrases never span two of them; an identifier's parts are
    found written together as well. Words past MAX_VECTOR_BYTES are left out, those past MAX_POSITION share a place.
    `position` is the first word's: one past FIELD_GAP keeps phrases from spanning it and what it is put behind.
    """
    mark = scope(organization)
    found: list[str] = []
    for text in texts:
        if not text:
            continue
        chunks = fold(text).split()
        # Nearly every text is words and blanks: the way that is taken a million times.
        if "".join(chunks).isalnum():
            found += [f"{mark}{word[:MAX_WORD_CHARACTERS]}:{place}" for place, word in enumerate(chunks, position)]
            position += len(chunks) + FIELD_GAP
            continue
        for chunk in chunks:
            # Nearly every chunk is one word, or one between common marks.
            if (word := chunk).isalnum() or (word := chunk.strip(_MARKS)).isalnum():
                found.append(f"{mark}{word[:MAX_WORD_CHARACTERS]}:{position}")
                position += 1
                continue
            words, together = _apart(chunk)
            found += [f"{_quote(mark + part)}:{place}" for place, part in enumerate(words, position)]
            position += len(words)
            found += [f"{mark}{part}:{position - 1}" for part in together]
        position += FIELD_GAP
    for text in identifiers:
        if text:
            parts = [part for chunk in fold(text).split() for part in split(chunk)]
            found.extend(f"{_quote(mark + part)}:{position}" for part in _spellings(parts))
    return " ".join(found if position <= MAX_POSITION else _within_limits(found))


def _within_limits(found: list[str]) -> list[str]:
    """Return what PostgreSQL takes of a very long text: each word once, at its first place, in a bounded vector."""
    size = 0
    kept: dict[str, str] = {}
    for place in found:
        word, _, position = place.rpartition(":")
        if word not in kept:
            size += len(word.encode()) + 16
            if size > MAX_VECTOR_BYTES:
                break
            kept[word] = f"{word}:{min(int(position), MAX_POSITION)}"
    return list(kept.values())


def _quote(word: str) -> str:
    if word.isalnum():
        return word
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def query(organization: UUID, text: str) -> str | None:
    """Return a tsquery literal: every word by prefix, quoted phrases in order. None when `text` has no word."""
    mark = scope(organization)
    terms: list[str] = []
    for phrase, chunk in _QUOTED.findall(text):
        words = [word for part in fold(phrase or chunk).split() for word in split(part)]
        if not words:
            continue
        lexemes = [f"{_quote(mark + word)}" for word in words]
        if phrase:
            terms.append("(" + " <-> ".join([*lexemes[:-1], lexemes[-1] + ":*"]) + ")")
        elif len(words) == 1:
            terms.append(lexemes[0] + ":*")
        else:
            together = _quote(mark + "".join(words)[:MAX_WORD_CHARACTERS])
            terms.append("((" + " & ".join([*lexemes[:-1], lexemes[-1] + ":*"]) + f") | {together}:*)")
    return " & ".join(terms) or None

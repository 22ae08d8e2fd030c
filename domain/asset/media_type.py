"""What a file is, by its sender's word or by its name's ending; nobody looks inside."""

import re
from collections.abc import Collection
from mimetypes import MimeTypes

ANYTHING = "application/octet-stream"
PATTERN = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
_is_media_type = re.compile(PATTERN).fullmatch

# The library's own table, whatever the machine's says, with what sellers of records and files have besides.
_BY_NAME = MimeTypes()
for _ending, _type in {
    ".7z": "application/x-7z-compressed",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mobi": "application/x-mobipocket-ebook",
    ".ogg": "audio/ogg",
    ".opus": "audio/opus",
    ".otf": "font/otf",
    ".psd": "image/vnd.adobe.photoshop",
    ".rar": "application/vnd.rar",
    ".ttf": "font/ttf",
    ".wav": "audio/wav",
    ".webp": "image/webp",
}.items():
    _BY_NAME.add_type(_type, _ending)


def media_type(given: str | None, filename: str) -> str:
    """Return the type that the sender gives, without parameters; else the one that the name's ending stands for."""
    named = (given or "").partition(";")[0].strip().lower()
    if _is_media_type(named) and named != ANYTHING:
        return named
    guessed, encoding = _BY_NAME.guess_type(f"file.{filename.rpartition('.')[2]}")
    return ANYTHING if guessed is None or encoding is not None else guessed


def is_among(types: Collection[str], content_type: str) -> bool:
    """Say whether the type is one of these, of which `audio/*` stands for all that begin so; of none all are."""
    return not types or content_type in types or f"{content_type.partition('/')[0]}/*" in types

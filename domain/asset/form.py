"""What a client may say of a digital asset: the form fields beside a file, and the form of revise."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from domain.fields import Boolean, Field, FieldError, Schema, Text
from domain.form import UNKNOWN, Form, Parsed
from domain.product.form import DESCRIPTION_LENGTH, NAME_LENGTH

READ_ONLY = frozenset(
    {"uid", "product_uid", "filename", "content_type", "size", "sha256", "created", "updated"},
)
FILE = "file"
MOST_BYTES = 5 * 1024**4
"""What a bucket takes as one file; a deployment's own limit is lower."""
_DIGEST = "^[0-9a-fA-F]{64}$"
_is_digest = re.compile(r"[0-9a-fA-F]{64}", re.ASCII).fullmatch
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0", ""})


class Size(Field, frozen=True, kw_only=True):
    """A file's size in bytes."""

    KIND: ClassVar[str] = "integer"

    def convert(self, raw: Any) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise FieldError("A valid integer is required.")
        if raw < 1:
            raise FieldError("Ensure this value is greater than or equal to 1.")
        if raw > MOST_BYTES:
            raise FieldError(f"Ensure this value is less than or equal to {MOST_BYTES}.")
        return raw

    def keywords(self) -> Schema:
        return {"minimum": 1, "maximum": MOST_BYTES}


class Sha256(Field, frozen=True, kw_only=True):
    """A digest in hexadecimal."""

    KIND: ClassVar[str] = "string"

    def convert(self, raw: Any) -> str:
        if not isinstance(raw, str) or not _is_digest(raw):
            raise FieldError("Expected 64 hexadecimal digits.")
        return raw.lower()

    def keywords(self) -> Schema:
        return {"pattern": _DIGEST}


FIELDS: dict[str, Field] = {
    "display_name": Text(
        nullable=True,
        max_length=NAME_LENGTH,
        description="What buyers see in place of the filename.",
        example="Full Album Download",
    ),
    "description": Text(
        nullable=True,
        max_length=DESCRIPTION_LENGTH,
        trimmed=False,
        description="What the file holds.",
        example="FLAC files, 24-bit",
    ),
    "is_primary": Boolean(
        description="One asset of a product is primary: the first one, until another is made it.", example=True
    ),
}

UPLOAD = Form(
    fields={
        "filename": Text(
            required=True, blank=False, max_length=NAME_LENGTH, description="The file's name.", example="album.zip"
        ),
        "size": Size(required=True, description="The file's size in bytes.", example=734_003_200),
        "content_type": Text(
            nullable=True,
            max_length=NAME_LENGTH,
            description="The file's type; without one its name's ending says it.",
            example="application/zip",
        ),
        "sha256": Sha256(
            nullable=True,
            description="The file's SHA-256, which what arrives is compared with.",
            example="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ),
        **FIELDS,
    },
    read_only=frozenset({"uid", "product_uid", "part_size", "parts", "created", "expires"}),
    defaults={"content_type": None, "sha256": None},
)
"""Of a file that its client sends to the bucket itself."""

REVISE = Form(fields=FIELDS, read_only=READ_ONLY, partial=True)


def parse(fields: Mapping[str, str], strict: bool = False) -> Parsed:
    """Read the fields of a form, all of them text: a blank one is none. With `strict` unknown ones are errors."""
    values: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name, text in fields.items():
        if name == FILE or name in READ_ONLY:
            continue
        if name not in FIELDS:
            if strict:
                errors[name] = [UNKNOWN]
            continue
        try:
            values[name] = FIELDS[name].parse(_read(name, text))
        except FieldError as error:
            errors[name] = error.messages
    return Parsed(values, errors)


def _read(name: str, text: str) -> Any:
    """Return what the text of a form field stands for in JSON."""
    if name != "is_primary":
        return text if text.strip() else None
    flag = text.strip().lower()
    return flag in _TRUE if flag in _TRUE | _FALSE else text

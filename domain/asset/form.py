"""What a client may say of a digital asset: the form fields beside a file, and the form of revise."""

from collections.abc import Mapping
from typing import Any

from domain.fields import Boolean, Field, FieldError, Text
from domain.form import UNKNOWN, Form, Parsed
from domain.product.form import DESCRIPTION_LENGTH, NAME_LENGTH

READ_ONLY = frozenset(
    {"uid", "product_uid", "filename", "content_type", "size", "sha256", "created", "updated"},
)
FILE = "file"
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0", ""})

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

REVISE = Form(fields=FIELDS, read_only=READ_ONLY, partial=True)


def parse(fields: Mapping[str, str], strict: bool = False) -> Parsed:
    """Read the fields of a form, all of them text: a blank one is none. With `strict` unknown ones are errors."""
    values: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name, text in fields.items():
        if name == FILE or (name in READ_ONLY and name not in FIELDS):
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

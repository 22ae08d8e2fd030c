"""Fields that point at something: a web address, another object."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from domain import ids
from domain.fields import NOT_A_STRING, NOT_BLANK, Field, FieldError, Schema, Text, shown

URL_LENGTH = 2000
# A letter or digit: of ASCII these alone, of the rest whatever is no space.
SIGN = r"[^\s\u0000-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a0\ufeff]"
LABEL = rf"{SIGN}(?:(?:{SIGN}|-){{0,61}}{SIGN})?"
_HOST = rf"(?:localhost|{LABEL}(?:\.{LABEL})+)"
_REST = r"(?:[/?#][^\s\u0000-\u001f\u007f\ufeff]*)?"
_URL = rf"^[hH][tT][tT][pP][sS]?://{_HOST}(?::[0-9]{{1,5}})?{_REST}$"
_is_url = re.compile(_URL + r"\Z").match
_TEXT = Text(max_length=URL_LENGTH)


def no_object(uid: str) -> str:
    """Return the message for a reference to what is not there."""
    return f"Object with uid={shown(uid)} does not exist."


class Url(Field, frozen=True, kw_only=True):
    """An http(s) address without credentials. Where null is a value a blank one is as good as that."""

    KIND: ClassVar[str] = "string"

    def convert(self, raw: Any) -> str | None:
        url = _TEXT.convert(raw)
        if not url and self.nullable:
            return None
        if not _is_url(url):
            raise FieldError("Enter a valid URL.")
        return url

    def keywords(self) -> Schema:
        return {"maxLength": URL_LENGTH, "pattern": _URL}


class Reference(Field, frozen=True, kw_only=True):
    """The uid of an aggregate, as its id. Whether there is one with this id is for the handler to find out."""

    KIND: ClassVar[str] = "string"

    prefix: str

    def convert(self, raw: Any) -> UUID:
        id = ids.parse(self.prefix, _uid(raw))
        if id is None:
            raise FieldError(no_object(raw))
        return id

    def keywords(self) -> Schema:
        return {"pattern": f"^{self.prefix}[0-9a-v]{{25}}[048cgkos]$"}


class KnownReference(Field, frozen=True, kw_only=True):
    """The uid of one of a few objects that are the same in every deployment."""

    KIND: ClassVar[str] = "string"

    known: Mapping[str, Any]

    def convert(self, raw: Any) -> str:
        if (uid := _uid(raw)) in self.known:
            return uid
        raise FieldError(no_object(uid))

    def keywords(self) -> Schema:
        return {"enum": [*self.known]}


def _uid(raw: Any) -> str:
    if not isinstance(raw, str):
        raise FieldError(NOT_A_STRING)
    if not raw:
        raise FieldError(NOT_BLANK)
    return raw

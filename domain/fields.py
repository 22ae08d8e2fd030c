"""Fields: what a client may send for one value, declared once: how it is parsed, and its JSON schema."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from domain.text import clean

Schema = dict[str, Any]
Messages = Mapping[str, Any] | Sequence[str]

REQUIRED = "This field is required."
NOT_NULL = "This field may not be null."
NOT_BLANK = "This field may not be blank."
NOT_A_STRING = "Not a valid string."

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_NUMBER_CHARACTERS = 64
_YEAR = re.compile(r"(\d{4})(?:-(\d{2})-(\d{2}))?", re.ASCII)
_SHOWN_CHARACTERS = 100


class FieldError(Exception):
    """What is wrong with one value: messages, or for a list's items messages by index."""

    def __init__(self, *messages: str, items: Mapping[str, Messages] | None = None) -> None:
        super().__init__(*messages)
        self.messages: Messages = items if items is not None else list(messages)


class Field(Struct, frozen=True, kw_only=True):
    """One value. `required` counts where the whole object is given; `nullable` says whether null is a value."""

    required: bool = False
    nullable: bool = False
    description: str = ""
    example: Any = None

    KIND: ClassVar[str]

    def parse(self, raw: Any) -> Any:
        """Return the typed value of a decoded JSON value. Raises FieldError."""
        if raw is None:
            if self.nullable:
                return None
            raise FieldError(NOT_NULL)
        return self.convert(raw)

    def convert(self, raw: Any) -> Any:
        raise NotImplementedError

    def schema(self) -> Schema:
        """Return the JSON schema (2020-12) of what parse takes."""
        schema = {"type": self.KIND, **self.keywords()}
        if self.nullable:
            schema["type"] = [self.KIND, "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        if self.description:
            schema["description"] = self.description
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema

    def keywords(self) -> Schema:
        return {}


class Text(Field, frozen=True, kw_only=True):
    """A string in NFC. `trimmed` takes white space off both ends, `folded` makes inner white space single as well."""

    KIND: ClassVar[str] = "string"

    max_length: int
    blank: bool = True
    trimmed: bool = True
    folded: bool = False

    def convert(self, raw: Any) -> str:
        if not isinstance(raw, str):
            raise FieldError(NOT_A_STRING)
        try:
            text = clean(raw)
        except ValueError as error:
            raise FieldError(str(error)) from None
        if self.folded:
            text = " ".join(text.split())
        elif self.trimmed:
            text = text.strip()
        if len(text) > self.max_length:
            raise FieldError(f"Ensure this field has no more than {self.max_length} characters.")
        if not self.blank and not text.strip():
            raise FieldError(NOT_BLANK)
        return text

    def keywords(self) -> Schema:
        # The limit holds after trimming; JSON schema knows no such thing and would refuse what is taken.
        if self.blank:
            return {"maxLength": self.max_length}
        return {"maxLength": self.max_length, "minLength": 1, "pattern": r"\S"}


class Choice(Field, frozen=True, kw_only=True):
    """One of `choices` (value to label). A blank string is a value of its own where `blank` says so."""

    KIND: ClassVar[str] = "string"

    choices: Mapping[str, str]
    blank: bool = False

    def convert(self, raw: Any) -> str:
        if isinstance(raw, str) and (raw in self.choices or (self.blank and not raw)):
            return raw
        raise FieldError(not_a_choice(raw))

    def keywords(self) -> Schema:
        return {"enum": [*self.choices, *([""] if self.blank else [])]}


def not_a_choice(raw: Any) -> str:
    """Return the message for a value that is not among the choices."""
    text = raw if isinstance(raw, str) else msgspec.json.encode(raw).decode()
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return f'"{shown}" is not a valid choice.'


class Boolean(Field, frozen=True, kw_only=True):
    """true or false; nothing that only looks like it."""

    KIND: ClassVar[str] = "boolean"

    def convert(self, raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        raise FieldError("Must be a valid boolean.")


class Money(Field, frozen=True, kw_only=True):
    """A decimal above 0 with at most two places, given as string or number."""

    KIND: ClassVar[str] = "string"

    digits: int = 12
    places: int = 2

    def convert(self, raw: Any) -> Decimal:
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            raise FieldError("A valid number is required.")
        # str() of an int refuses what is longer than 4300 digits, and takes its time before.
        if isinstance(raw, int) and raw.bit_length() > 4 * _NUMBER_CHARACTERS:
            raise FieldError(self._too_many_digits())
        text = raw.strip() if isinstance(raw, str) else repr(raw)
        if not _NUMBER.fullmatch(text[: 20 * _NUMBER_CHARACTERS]):
            raise FieldError("A valid number is required.")
        if len(text) > _NUMBER_CHARACTERS:
            raise FieldError(self._too_many_digits())
        amount = Decimal(text)
        self._check_digits(amount)
        if amount <= 0:
            raise FieldError("Ensure this value is greater than 0.")
        return amount.quantize(Decimal(1).scaleb(-self.places))

    def _too_many_digits(self) -> str:
        return f"Ensure that there are no more than {self.digits} digits in total."

    def _check_digits(self, amount: Decimal) -> None:
        _, digits, exponent = amount.as_tuple()
        assert isinstance(exponent, int)
        places = max(0, -exponent)
        total = max(len(digits) + max(0, exponent), places)
        if total > self.digits:
            raise FieldError(self._too_many_digits())
        if places > self.places:
            raise FieldError(f"Ensure that there are no more than {self.places} decimal places.")
        whole = self.digits - self.places
        if total - places > whole:
            raise FieldError(f"Ensure that there are no more than {whole} digits before the decimal point.")

    def schema(self) -> Schema:
        whole = self.digits - self.places
        pattern = rf"^\d{{1,{whole}}}(\.\d{{1,{self.places}}})?$"
        number: Schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10**whole, "multipleOf": 0.01}
        kinds: list[Schema] = [{"type": "string", "pattern": pattern}, number]
        if self.nullable:
            kinds.append({"type": "null"})
        schema: Schema = {"anyOf": kinds}
        if self.description:
            schema["description"] = self.description
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema


class Year(Field, frozen=True, kw_only=True):
    """YYYY or YYYY-MM-DD, a real date, kept as it was given."""

    KIND: ClassVar[str] = "string"

    def convert(self, raw: Any) -> str:
        found = _YEAR.fullmatch(raw.strip()) if isinstance(raw, str) else None
        try:
            if found is not None:
                year, month, day = found.groups("1")
                date(int(year), int(month), int(day))
                return found.group()
        except ValueError:
            pass
        raise FieldError("Date has wrong format. Use one of these formats instead: YYYY, YYYY-MM-DD.")

    def keywords(self) -> Schema:
        return {"pattern": r"^\d{4}(-\d{2}-\d{2})?$"}


class ListOf(Field, frozen=True, kw_only=True):
    """A list. `unique` keeps the first of those texts that differ in case alone."""

    KIND: ClassVar[str] = "array"

    item: Text | Choice
    max_items: int
    unique: bool = False
    empty: bool = True

    def convert(self, raw: Any) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise FieldError(f'Expected a list of items but got type "{json_type(raw)}".')
        texts: list[str] = []
        errors: dict[str, Messages] = {}
        for index, given in enumerate(raw):
            try:
                texts.append(self.item.parse(given))
            except FieldError as error:
                errors[str(index)] = error.messages
        if errors:
            raise FieldError(items=errors)
        if self.unique:
            texts = list({text.casefold(): text for text in reversed(texts)}.values())[::-1]
        if len(texts) > self.max_items:
            raise FieldError(f"Ensure this field has no more than {self.max_items} elements.")
        if not self.empty and not texts:
            raise FieldError("This list may not be empty.")
        return tuple(texts)

    def keywords(self) -> Schema:
        size = {"maxItems": self.max_items} if self.empty else {"minItems": 1, "maxItems": self.max_items}
        return {"items": self.item.schema(), **size}


class JsonObject(Field, frozen=True, kw_only=True):
    """Any JSON object. Size is that of its compact UTF-8 text; an object without objects is one level deep."""

    KIND: ClassVar[str] = "object"

    max_bytes: int = 64 * 1024
    max_depth: int = 32

    def convert(self, raw: Any) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise FieldError(f'Expected a dictionary of items but got type "{json_type(raw)}".')
        try:
            cleaned: dict[str, Any] = _clean(raw, self.max_depth)
        except ValueError as error:
            raise FieldError(str(error)) from None
        if len(msgspec.json.encode(cleaned)) > self.max_bytes:
            raise FieldError(f"Ensure this field has no more than {self.max_bytes} bytes.")
        return cleaned


def _clean(value: Any, levels: int) -> Any:
    """Return the value with all its texts cleaned. Raises ValueError, also where it is deeper than `levels`."""
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise ValueError("Ensure this field is not nested deeper than 32 levels.")
    if isinstance(value, list):
        return [_clean(item, levels - 1) for item in value]
    return {clean(key): _clean(item, levels - 1) for key, item in value.items()}


def json_type(raw: Any) -> str:
    """Return what clients of this dialect call a decoded JSON value's type, such as str, list or NoneType."""
    return type(raw).__name__

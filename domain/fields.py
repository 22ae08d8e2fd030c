"""Fields: what a client may send for one value, declared once: how it is parsed, and its JSON schema."""

from collections.abc import Mapping, Sequence
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

_SHOWN_CHARACTERS = 100
NO_NUL = r"^[^\u0000]*$"
NO_NUL_NOT_BLANK = r"^[^\u0000]*[^\u0000\s][^\u0000]*$"


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

    def described_any_of(self, *kinds: Schema) -> Schema:
        schema: Schema = {"anyOf": [*kinds, {"type": "null"}] if self.nullable else [*kinds]}
        if self.description:
            schema["description"] = self.description
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema


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
        # Ends are trimmed before the length is counted; JSON schema has no word for that.
        pattern = NO_NUL if self.blank else NO_NUL_NOT_BLANK
        return {"maxLength": self.max_length, "pattern": pattern}


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
    return f'"{shown(text)}" is not a valid choice.'


def shown(text: str) -> str:
    """Return as much of a client's text as a message repeats."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


class Boolean(Field, frozen=True, kw_only=True):
    """true or false; nothing that only looks like it."""

    KIND: ClassVar[str] = "boolean"

    def convert(self, raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        raise FieldError("Must be a valid boolean.")


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
            seen: dict[str, str] = {}
            for text in texts:
                seen.setdefault(text.casefold(), text)
            texts = [*seen.values()]
        if len(texts) > self.max_items:
            raise FieldError(f"Ensure this field has no more than {self.max_items} elements.")
        if not self.empty and not texts:
            raise FieldError("This list may not be empty.")
        return tuple(texts)

    def keywords(self) -> Schema:
        size = {"maxItems": self.max_items} if self.empty else {"minItems": 1, "maxItems": self.max_items}
        return {"items": self.item.schema(), **size}


def json_type(raw: Any) -> str:
    """Return what clients of this dialect call a decoded JSON value's type, such as str, list or NoneType."""
    return type(raw).__name__

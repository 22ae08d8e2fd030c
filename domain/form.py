"""Forms: the fields that one request may carry, checked all at once."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from domain.fields import REQUIRED, Field, FieldError, Schema

UNKNOWN = "Unknown field."


class Parsed(NamedTuple):
    """`values` by field of those given (and defaults); `errors` by field: messages, or messages by item."""

    values: dict[str, Any]
    errors: dict[str, Any]


class Form(Struct, frozen=True, kw_only=True):
    """`read_only` fields are ignored when sent. A `partial` form requires nothing and has no defaults."""

    fields: Mapping[str, Field]
    read_only: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = {}
    partial: bool = False

    def parse(self, body: Mapping[str, Any], strict: bool = False) -> Parsed:
        """Check everything that `body` holds. With `strict` a field that nobody knows is an error too."""
        values = dict(self.defaults)
        errors: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name in body:
                try:
                    values[name] = field.parse(body[name])
                except FieldError as error:
                    errors[name] = error.messages
            elif field.required and not self.partial:
                errors[name] = [REQUIRED]
        if strict:
            for name in body:
                if name not in self.fields and name not in self.read_only:
                    errors[name] = [UNKNOWN]
        return Parsed(values, errors)

    def schema(self) -> Schema:
        """Return the JSON schema of a request body; unknown properties are allowed, as parse ignores them."""
        schema: Schema = {
            "type": "object",
            "properties": {
                name: field.schema() | ({"default": self.defaults[name]} if name in self.defaults else {})
                for name, field in self.fields.items()
            },
        }
        required = [name for name, field in self.fields.items() if field.required and not self.partial]
        if required:
            schema["required"] = required
        return schema

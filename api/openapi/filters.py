"""Parameters that filter lists."""

from collections.abc import Iterable

from api.filters import TEXT
from api.openapi.operation import Parameter, Schema
from domain.fields import NO_NUL

_TEXT: Schema = {"type": "string", "maxLength": TEXT.max_length, "pattern": NO_NUL}
_BOOLEAN: Schema = {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["0", "1", ""]}]}


def named(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def search(where: str, example: str) -> Parameter:
    return Parameter(
        name="search",
        description=f"Words that all have to be found in {where}: by prefix, whatever case and accents."
        ' "Quoted phrases" hold together.',
        schema=_TEXT,
        example=example,
    )


def flag(name: str, description: str) -> Parameter:
    return Parameter(name=name, description=f"{description} true, false, 1 or 0.", schema=_BOOLEAN, example=True)


def choice(name: str, description: str, choices: Iterable[str], example: str) -> Parameter:
    """Declare a filter by one or more of `choices`; `description` ends where they are listed."""
    any_of = "|".join(choices)
    schema = {"type": "string", "pattern": f"^(({any_of})(,({any_of}))*)?$"}
    return Parameter(name=name, description=f"{description}: {named(choices)}.", schema=schema, example=example)


def text(name: str, description: str, example: str) -> Parameter:
    return Parameter(name=name, description=description, schema=_TEXT, example=example)


def texts(name: str, description: str, example: str) -> Parameter:
    return Parameter(name=name, description=description, schema={"type": "string", "pattern": NO_NUL}, example=example)


def ordering(orders: Iterable[str], example: str) -> Parameter:
    description = f"One or more of {named(orders)}, separated by commas."
    return Parameter(name="ordering", description=description, example=example)

"""What a client may say of an import, beside its file: form fields, all of them text."""

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.choices import PRODUCT_TYPES
from domain.currencies import CURRENCIES
from domain.fields import not_a_choice
from domain.rates import USD
from domain.text import clean

MAX_COLUMN_CHARACTERS = 500
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0", ""})
_MAP = "map"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`mapping` is field -> column name, as sent."""

    type: str
    currency: str
    mapping: dict[str, str]
    dry_run: bool


def parse(fields: Mapping[str, str], known: frozenset[str]) -> tuple[Asked, dict[str, Any]]:
    """Return what is asked and the errors by field. `known` are the fields that a map may name."""
    errors: dict[str, Any] = {}
    type = fields.get("type") or "physical"
    if type not in PRODUCT_TYPES:
        errors["type"] = [not_a_choice(type)]
    currency = fields.get("currency", "").strip().upper() or USD
    if currency not in CURRENCIES:
        errors["currency"] = [not_a_choice(currency)]
    flag = fields.get("dry_run", "").strip().lower()
    if flag not in _TRUE | _FALSE:
        errors["dry_run"] = ["Must be a valid boolean."]
    mapping: dict[str, str] = {}
    try:
        mapping = _mapping(fields, known)
    except ValueError as error:
        errors[_MAP] = [str(error)]
    return Asked(type=type, currency=currency, mapping=mapping, dry_run=flag in _TRUE), errors


def _mapping(fields: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """Read `map` as a JSON object, and `map[title]` one by one. Raises ValueError."""
    mapping: dict[str, str] = {}
    if text := fields.get(_MAP, "").strip():
        try:
            mapping = msgspec.json.decode(text, type=dict[str, str])
        except (msgspec.MsgspecError, RecursionError):
            raise ValueError('Expected a JSON object of field to column, e.g. {"title": "Album"}.') from None
    for name, column in fields.items():
        if name.startswith(f"{_MAP}[") and name.endswith("]"):
            mapping[name[len(_MAP) + 1 : -1]] = column
    for field, column in mapping.items():
        if field not in known:
            raise ValueError(f'"{field[:100]}" is not a field. Fields: {", ".join(sorted(known))}.')
        if len(column) > MAX_COLUMN_CHARACTERS:
            raise ValueError(f"Ensure that column names have no more than {MAX_COLUMN_CHARACTERS} characters.")
    return {field: clean(column) for field, column in mapping.items()}

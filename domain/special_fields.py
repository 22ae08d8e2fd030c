"""Fields of more than one form: money, years, whole JSON objects."""

import math
import re
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from domain.fields import Field, FieldError, Schema, json_type
from domain.text import clean

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_NUMBER_CHARACTERS = 64
_YEAR = re.compile(r"(\d{4})(?:-(\d{2})-(\d{2}))?", re.ASCII)


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
        text = raw.strip() if isinstance(raw, str) else repr(self._as_meant(raw))
        if not _NUMBER.fullmatch(text[: 20 * _NUMBER_CHARACTERS]):
            raise FieldError("A valid number is required.")
        if len(text) > _NUMBER_CHARACTERS:
            raise FieldError(self._too_many_digits())
        amount = Decimal(text)
        self._check_digits(amount)
        if amount <= 0:
            raise FieldError("Ensure this value is greater than 0.")
        return amount.quantize(Decimal(1).scaleb(-self.places))

    def _as_meant(self, number: float) -> float:
        """Return the number without what binary arithmetic left on it: a client's 0.1 + 0.2 is 0.3."""
        rounded = round(number, self.places)
        return rounded if abs(number - rounded) <= 4 * math.ulp(number) else number

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
        pattern = rf"^(?!0+(\.0+)?$)[0-9]{{1,{whole}}}(\.[0-9]{{1,{self.places}}})?$"
        step = 10.0**-self.places
        number: Schema = {"type": "number", "minimum": step, "exclusiveMaximum": 10**whole, "multipleOf": step}
        return self.described_any_of({"type": "string", "pattern": pattern}, number)


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

    def schema(self) -> Schema:
        year = {"type": "string", "pattern": "^(?!0000)[0-9]{4}$"}
        return self.described_any_of(year, {"type": "string", "format": "date"})


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

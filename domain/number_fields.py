"""Fields of whole numbers and of moments."""

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

from domain.fields import Field, FieldError, Schema

NOT_A_NUMBER = "A valid integer is required."
NOT_A_MOMENT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Whole(Field, frozen=True, kw_only=True):
    """A whole number from `minimum` to `maximum`."""

    KIND: ClassVar[str] = "integer"

    minimum: int
    maximum: int

    def convert(self, raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != raw // 1:
            raise FieldError(NOT_A_NUMBER)
        if raw < self.minimum:
            raise FieldError(f"Ensure this value is greater than or equal to {self.minimum}.")
        if raw > self.maximum:
            raise FieldError(f"Ensure this value is less than or equal to {self.maximum}.")
        return int(raw)

    def keywords(self) -> Schema:
        return {"minimum": self.minimum, "maximum": self.maximum}


class Moment(Field, frozen=True, kw_only=True):
    """A time of a date with its offset (RFC 3339), in UTC to the microsecond."""

    KIND: ClassVar[str] = "string"

    def convert(self, raw: Any) -> datetime:
        found = _MOMENT.fullmatch(raw.strip()) if isinstance(raw, str) else None
        if found is None:
            raise FieldError(NOT_A_MOMENT)
        date, time, fraction, offset = found.groups("")
        try:
            moment = datetime.fromisoformat(f"{date}T{time}{fraction[:7]}{offset.upper().replace('Z', '+00:00')}")
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise FieldError(NOT_A_MOMENT) from None

    def keywords(self) -> Schema:
        return {"format": "date-time"}

"""Times and positions of the log as clients write them."""

import re
from datetime import UTC, datetime

import msgspec

from domain.errors import Invalid
from projections.as_of import Moment

NOT_A_TIME = "Enter a time such as 2026-01-31T12:00:00Z."
NOT_A_MOMENT = "Enter a time such as 2026-01-31T12:00:00Z, or a position of the log."
FUTURE = "This moment has not come yet."
_POSITION = re.compile(r"[0-9]{1,18}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ZONE = re.compile(r" ([0-9]{2}:[0-9]{2})$")


def parse_time(text: str) -> datetime | None:
    """Return a time of RFC 3339, or the start of a day, in UTC; None for what is neither.

    A `+` that was not escaped in a query came as a blank.
    """
    text = f"{text}T00:00:00Z" if _DAY.fullmatch(text) else _ZONE.sub(r"+\1", text)
    try:
        found = msgspec.convert(text, datetime)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (msgspec.ValidationError, OverflowError):
        return None


def parse_moment(name: str, text: str, newest: int, now: datetime) -> Moment:
    """Return the position or time that a parameter asks for. Raises Invalid for junk and for what is yet to come."""
    if _POSITION.fullmatch(text):
        position, time = int(text), None
    elif (time := parse_time(text)) is not None:
        position = None
    else:
        raise Invalid({name: [NOT_A_MOMENT]})
    if (position is not None and position > newest) or (time is not None and time > now):
        raise Invalid({name: [FUTURE]})
    return Moment(position, time)

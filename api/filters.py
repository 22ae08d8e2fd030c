"""Filters of lists: read one by one, refused all at once."""

from collections.abc import Collection, Mapping

from api.requests import Query
from domain.errors import Invalid
from domain.fields import FieldError, Text, not_a_choice
from domain.text import clean

TEXT = Text(max_length=200, trimmed=False)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Filters:
    """Reads the filters of one query and remembers what is wrong with them."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._errors: dict[str, object] = {}

    def text(self, name: str) -> str | None:
        text = self._query.last(name)
        if text is None:
            return None
        try:
            return TEXT.convert(text)
        except FieldError as error:
            self._errors[name] = error.messages
            return None

    def flag(self, name: str) -> bool | None:
        text = self._query.last(name)
        if text is None:
            return None
        value = BOOLEANS.get(text.lower())
        if value is None:
            self._errors[name] = ["Must be a valid boolean."]
        return value

    def choices(self, name: str, known: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values given, each once: repeated or separated by commas."""
        values = tuple(dict.fromkeys(self._query.listed(name)))
        if wrong := [not_a_choice(value) for value in values if value not in known]:
            self._errors[name] = wrong
        return values

    def texts(self, name: str) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(clean(text) for text in self._query.listed(name)))
        except ValueError as error:
            self._errors[name] = [str(error)]
            return ()

    def orders(self, known: Collection[str], default: str) -> tuple[str, ...]:
        """Return the orders given that are known; the default where none is."""
        return tuple(dict.fromkeys(name for name in self._query.listed("ordering") if name in known)) or (default,)

    def check(self) -> None:
        """Raises Invalid with every filter that is wrong."""
        if self._errors:
            raise Invalid(self._errors)

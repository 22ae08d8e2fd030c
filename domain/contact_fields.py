"""Fields that say how somebody is reached."""

import re
from typing import Any, ClassVar

from domain.fields import NOT_BLANK, Field, FieldError, Schema, Text
from domain.reference_fields import LABEL, SIGN

NOT_AN_ADDRESS = "Enter a valid email address."
ADDRESS_LENGTH = 254
# What stands before the @ without quotes; of ASCII alone, as every mail server takes it.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = rf"^(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{LABEL}\.)+{SIGN}(?:{SIGN}|-){{0,61}}{SIGN}$"
_is_address = re.compile(_ADDRESS + r"\Z").match
_TEXT = Text(max_length=ADDRESS_LENGTH)


class EmailAddress(Field, frozen=True, kw_only=True):
    """One e-mail address without a name, of a domain in any alphabet."""

    KIND: ClassVar[str] = "string"

    def convert(self, raw: Any) -> str:
        address = _TEXT.convert(raw)
        if not address:
            raise FieldError(NOT_BLANK)
        if not _is_address(address):
            raise FieldError(NOT_AN_ADDRESS)
        return address

    def keywords(self) -> Schema:
        return {"maxLength": ADDRESS_LENGTH, "pattern": _ADDRESS}

"""E-mail addresses as mail servers take them, and as they are compared."""

import idna

from domain.contact_fields import NOT_AN_ADDRESS
from domain.fields import FieldError


def deliverable(address: str) -> str:
    """Return an address that the form took with its domain in ASCII. Raises FieldError where that has no such form."""
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise FieldError(NOT_AN_ADDRESS) from None
    return f"{local}@{domain.lower()}"


def address_key(address: str) -> str:
    """Return what equal addresses share: case does not count, nor which form of its domain one has."""
    try:
        return deliverable(address.strip()).casefold()
    except FieldError:
        return address.strip().casefold()

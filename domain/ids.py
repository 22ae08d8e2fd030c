"""Uids: what clients see of an aggregate's id. `prod_` and 26 characters that sort as the id does."""

import base64
import re
from binascii import Error as Base32Error
from functools import lru_cache
from uuid import UUID, uuid5

_NAMESPACE = UUID("5b0c1a5e-6d0f-5c0e-9a55-dead0a0c0de5")
BODY_CHARACTERS = 26
_BODY = re.compile(r"[0-9a-v]{26}\Z")

PRODUCT, ARTIST, LABEL, ORGANIZATION, API_KEY, IMPORT = "prod_", "art_", "lbl_", "org_", "key_", "imp_"
INVENTORY, ASSET, UPLOAD, PURCHASE, CONNECTION = "inv_", "ast_", "upl_", "pur_", "con_"

PRESENCE = "prs_"
"""In the log's terms alone: clients name a presence by its product and number."""

_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]


def uid(prefix: str, id: UUID) -> str:
    """Spell an id: its 128 bits and two zeros in base 32 (RFC 4648's base32hex, lower case, no padding)."""
    bits = id.int << 2
    return prefix + "".join([_PAIRS[bits >> shift & 1023] for shift in range(120, -1, -10)])


@lru_cache(maxsize=4096)
def familiar_uid(prefix: str, number: int) -> str:
    """Spell the id of this number, one of few that are asked for again and again: keys and organizations."""
    return uid(prefix, UUID(int=number))


def parse(prefix: str, text: str) -> UUID | None:
    """Return the id behind `text`; None when it is not a uid of this prefix in its one spelling."""
    body = text[len(prefix) :]
    if not text.startswith(prefix) or not _BODY.match(body):
        return None
    try:
        id = UUID(bytes=base64.b32hexdecode(body.upper() + "======"))
    except (Base32Error, ValueError):
        return None
    return id if uid(prefix, id) == text else None


def named(organization: UUID, noun: str, name: str) -> UUID:
    """Return the one id that `name` (already folded) has within the organization."""
    return uuid5(_NAMESPACE, f"{organization}/{noun}/{name}")

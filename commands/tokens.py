"""Tokens that are made of an id and the server's secret, so that they need not be kept."""

import base64
import hashlib
import hmac
from uuid import UUID

TOKEN_BYTES = 18
"""144 bits: 24 characters."""


def download_token(secret: str, purchase: UUID) -> str:
    """Return the token in a purchase's download link, the same one each time: base64url without padding."""
    mac = hmac.digest(secret.encode(), b"download" + purchase.bytes, "sha256")
    return base64.urlsafe_b64encode(mac[:TOKEN_BYTES]).decode()


def verification_token(secret: str, connection: UUID) -> str:
    """Return what eBay and we alone know of where a connection's notifications go: 44 of A-Z, a-z, 0-9, - and _."""
    mac = hmac.digest(secret.encode(), b"notifications" + connection.bytes, "sha256")
    # Of 33 bytes, as base64 goes without padding.
    return base64.urlsafe_b64encode(mac + mac[:1]).decode()


def digest_of(token: str) -> bytes:
    """Return a token's SHA-256: all that is ever stored or looked up of it."""
    return hashlib.sha256(token.encode(errors="replace")).digest()

"""The token in a download link: made of a purchase's id and the server's secret, so that it need not be kept."""

import base64
import hashlib
import hmac
from uuid import UUID

TOKEN_BYTES = 18
"""144 bits: 24 characters."""


def download_token(secret: str, purchase: UUID) -> str:
    """Return the token, the same one each time: base64url without padding."""
    mac = hmac.digest(secret.encode(), b"download" + purchase.bytes, "sha256")
    return base64.urlsafe_b64encode(mac[:TOKEN_BYTES]).decode()


def digest_of(token: str) -> bytes:
    """Return a token's SHA-256: all that is ever stored or looked up of it."""
    return hashlib.sha256(token.encode(errors="replace")).digest()

"""eBay's signatures of notifications, as its own SDKs check them. A door to cryptography.

`X-EBAY-SIGNATURE` is base64 of JSON with `alg`, `kid`, `signature` and `digest`; what is signed is the body as
JSON.stringify writes it: without spaces. The key comes as PEM without its line breaks.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from domain.errors import DeadwaxError

_KID = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_MAX_CHARACTERS = 2000
# eBay signs with SHA-1; who has no key gains nothing by the choice.
_DIGESTS: Mapping[str, type[HashAlgorithm]] = {"SHA1": SHA1, "SHA256": SHA256}
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*\Z")


class NoSignature(DeadwaxError):
    """The header holds no signature that eBay would send."""


class NoKey(DeadwaxError):
    """This is no key that eBay would sign with."""


class Signature(NamedTuple):
    """`kid` names the key; `digest` is one of those known."""

    kid: str
    signature: bytes
    digest: str


class _Header(Struct):
    alg: str
    kid: str
    signature: str
    digest: str


class PublicKey:
    def __init__(self, pem: str) -> None:
        """Raises NoKey."""
        found = _PEM.match(pem.strip())
        if found is None:
            raise NoKey
        text = "".join(found[1].split())
        try:
            key = load_pem_public_key(f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n".encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise NoKey from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise NoKey
        self._key = key

    def signed(self, signature: Signature, body: bytes) -> bool:
        """Say whether the body was signed with this key: as it came, or as JSON.stringify writes it."""
        return self._signed(signature, body) or (
            (plain := _stringified(body)) not in {None, body} and self._signed(signature, plain or b"")
        )

    def _signed(self, signature: Signature, body: bytes) -> bool:
        try:
            self._key.verify(signature.signature, body, ec.ECDSA(_DIGESTS[signature.digest]()))
        except InvalidSignature:
            return False
        return True


def parsed(header: str | None) -> Signature:
    """Return what the header says. Raises NoSignature."""
    if header is None or len(header) > _MAX_CHARACTERS:
        raise NoSignature
    try:
        said = msgspec.json.decode(base64.b64decode(header, validate=True), type=_Header)
        signature = base64.b64decode(said.signature, validate=True)
    except (msgspec.DecodeError, binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise NoSignature from error
    if said.alg.lower() != "ecdsa" or said.digest not in _DIGESTS or not _KID.match(said.kid):
        raise NoSignature
    return Signature(said.kid, signature, said.digest)


def _stringified(body: bytes) -> bytes | None:
    """Return the body without the spaces between its parts; None where it is no JSON."""
    try:
        value: Any = json.loads(body)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None

"""Credentials of marketplaces, sealed with AES-256-GCM under a key made of DEADWAX_SECRET_KEY.

The door to cryptography. A seal is one byte of form, four that tell the key, twelve of nonce, and the sealed text. It
is bound to its connection and opens for no other.
"""

import hashlib
import os
from collections.abc import Mapping
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import DeadwaxError

_FORM = b"\x01"
_KEY_ID_BYTES, _NONCE_BYTES = 4, 12
_PURPOSE = b"deadwax credentials of marketplaces"


class Unsealable(DeadwaxError):
    """The credentials cannot be opened: they were sealed under another DEADWAX_SECRET_KEY."""


class Vault:
    """Seals under the first secret, opens what was sealed under any of them."""

    def __init__(self, *secrets: str) -> None:
        keys = [_key(secret) for secret in secrets if secret]
        if not keys:
            raise Unsealable("DEADWAX_SECRET_KEY is not set.")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    def seal(self, connection: UUID, credentials: Mapping[str, str]) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        head = _FORM + self._newest
        text = msgspec.json.encode(credentials)
        return head + nonce + self._ciphers[self._newest].encrypt(nonce, text, head + connection.bytes)

    def open(self, connection: UUID, sealed: bytes) -> dict[str, str]:
        """Raises Unsealable, also for another connection's."""
        head_bytes = len(_FORM) + _KEY_ID_BYTES
        head, rest = sealed[:head_bytes], sealed[head_bytes:]
        cipher = self._ciphers.get(head[len(_FORM) :])
        if head[: len(_FORM)] != _FORM or cipher is None:
            raise Unsealable
        try:
            text = cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + connection.bytes)
        except (InvalidTag, ValueError) as error:
            raise Unsealable from error
        return msgspec.json.decode(text, type=dict[str, str])

    def is_newest(self, sealed: bytes) -> bool:
        """Say whether it is sealed under the first secret."""
        return sealed[len(_FORM) : len(_FORM) + _KEY_ID_BYTES] == self._newest


def _key(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(_PURPOSE + key).digest()[:_KEY_ID_BYTES]

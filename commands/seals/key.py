"""The key that seals are signed with: Ed25519. The database never sees it. The one door to `cryptography`."""

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commands.settings import Settings, SettingsError

FILE = "seal.key"
_NAME_CHARACTERS = 16


class SealKey:
    """Signs. `public` is the public key's 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    @property
    def name(self) -> str:
        return name_of(self.public)

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)


def name_of(public: bytes) -> str:
    """Return what the seals of a key are kept under."""
    return hashlib.sha256(public).hexdigest()[:_NAME_CHARACTERS]


def is_signed(data: bytes, signature: bytes, public: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def seal_key(settings: Settings) -> SealKey | None:
    """Return the key that the settings name, else the data folder's; None without either. Raises SettingsError."""
    if settings.seal_key:
        return _parsed(settings.seal_key, "DEADWAX_SEAL_KEY")
    path, variable = Path(settings.seal_key_file).expanduser(), "DEADWAX_SEAL_KEY_FILE"
    if not settings.seal_key_file:
        path, variable = settings.data / FILE, "DEADWAX_DATA"
        if not path.exists():
            return None
    try:
        return _parsed(path.read_text().strip(), f"{variable}: {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}: cannot read {path}: {getattr(error, 'strerror', error)}") from None


def make_seal_key(settings: Settings) -> None:
    """Give the data folder a key, for its owner's eyes alone, where there is none yet."""
    if settings.seal_key or settings.seal_key_file or (settings.data / FILE).exists():
        return
    fresh = settings.data / f"{FILE}.new"
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - Path.open has no opener for the mode
        file.write(new_key() + "\n")
    fresh.replace(settings.data / FILE)


def new_key() -> str:
    """Return a key as the settings take it."""
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def _parsed(text: str, where: str) -> SealKey:
    try:
        seed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != 32:
        raise SettingsError(f"{where}: expected 32 random bytes in base64 (openssl rand -base64 32)")
    return SealKey(seed)

"""A seal: a signed statement about a run of positions, and the leaves that it is about."""

import base64
import hashlib
from typing import NamedTuple

import msgspec
from msgspec import Struct

from commands.seals.key import is_signed
from commands.seals.leaves import RECORD, hashes
from commands.seals.tree import root
from domain.errors import DeadwaxError

FORMAT = "deadwax seal 1"


class UnreadableSeal(DeadwaxError):
    """This is not a seal."""


class Statement(Struct, frozen=True, kw_only=True):
    """What is signed, as JSON in this order: `count` events after position `after` up to `last`, the root of their
    tree, the hash of their records (`leaves`), and that of the statement before. `key` is the public key. Hashes
    and keys are hexadecimal.
    """

    format: str
    key: str
    number: int
    previous: str | None
    after: int
    last: int
    count: int
    root: str
    leaves: str
    sealed: str


class Seal(NamedTuple):
    """`statement` is the text that was signed. `leaves` holds a Record for each event."""

    statement: str
    signature: bytes
    leaves: bytes

    def said(self) -> Statement:
        """Raises UnreadableSeal."""
        try:
            return msgspec.json.decode(self.statement, type=Statement)
        except (msgspec.MsgspecError, ValueError) as error:
            raise UnreadableSeal from error

    def hash(self) -> str:
        return hashlib.sha256(self.statement.encode()).hexdigest()

    def is_genuine(self, public: bytes) -> bool:
        """Tell whether the key has signed it and it is about these leaves."""
        try:
            said = self.said()
        except UnreadableSeal:
            return False
        return (
            said.format == FORMAT
            and said.key == public.hex()
            and is_signed(self.statement.encode(), self.signature, public)
            and len(self.leaves) == said.count * RECORD.size
            and hashlib.sha256(self.leaves).hexdigest() == said.leaves
            and root(hashes(self.leaves)).hex() == said.root
        )

    def anchored(self) -> bytes:
        """Return it as it is kept outside: one JSON object on one line."""
        whole = {"statement": self.statement, "signature": self.signature.hex()}
        return msgspec.json.encode(whole | {"leaves": base64.b64encode(self.leaves).decode()})


class _Anchored(Struct):
    statement: str
    signature: str
    leaves: str


def read_anchored(content: bytes) -> Seal:
    """Raises UnreadableSeal."""
    try:
        found = msgspec.json.decode(content, type=_Anchored)
        return Seal(found.statement, bytes.fromhex(found.signature), base64.b64decode(found.leaves, validate=True))
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnreadableSeal from error

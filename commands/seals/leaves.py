"""What of an event is hashed, and how the hashes of a stream hang together.

A leaf is the RFC 6962 hash of the leaf of the stream's event before (32 zero bytes for its first) and of the event's
row: a count of its fields, 5, in two bytes, and then each field after its length in four bytes: position (8 bytes),
stream (16), version (8), topic, stored body. Numbers are big-endian. That is how PostgreSQL's binary COPY has it.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

FIRST = bytes(32)
"""Stands for the leaf before a stream's first event."""
RECORD = struct.Struct(">q16s32s")
_HEAD = struct.Struct(">hiqi16siq")
_LENGTH = struct.Struct(">i")


class Record(NamedTuple):
    """What a seal keeps of an event. `stream` is its id's 16 bytes."""

    position: int
    stream: bytes
    leaf: bytes


class Row(NamedTuple):
    """The fields of an event, as they are hashed."""

    position: int
    stream: bytes
    version: int
    topic: bytes
    state: bytes

    def packed(self) -> bytes:
        head = _HEAD.pack(5, 8, self.position, 16, self.stream, 8, self.version)
        sized = (_LENGTH.pack(len(field)) + field for field in (self.topic, self.state))
        return head + b"".join(sized)


def row(packed: bytes) -> Row:
    """Return the fields of a packed row."""
    _, _, position, _, stream, _, version = _HEAD.unpack_from(packed)
    [length] = _LENGTH.unpack_from(packed, _HEAD.size)
    topic = packed[_HEAD.size + 4 :][:length]
    return Row(position, stream, version, topic, packed[_HEAD.size + 8 + length :])


def records(leaves: bytes) -> Iterator[Record]:
    """Return the records of a seal's leaves, in the order of positions."""
    return map(Record._make, RECORD.iter_unpack(leaves))


def hashes(leaves: bytes) -> list[bytes]:
    """Return the leaves alone."""
    return [leaves[end - 32 : end] for end in range(RECORD.size, len(leaves) + 1, RECORD.size)]

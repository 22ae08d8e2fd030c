"""Proof for one event that it is in the log as it was sealed, for whoever has the public key and nothing else."""

import base64
from uuid import UUID

from msgspec import Struct

from commands.seals.leaves import FIRST, hashes, records, row
from commands.seals.log import SealedLog
from commands.seals.tree import leaf_hash, path
from domain.errors import DeadwaxError

FORMAT = "deadwax proof 1"


class Unproven(DeadwaxError):
    """There is no proof of this event."""


class ProvenEvent(Struct, frozen=True):
    """The event as it is stored; `state` is its body in base64."""

    position: int
    stream: UUID
    version: int
    topic: str
    state: str


class ProvenSeal(Struct, frozen=True):
    """`statement` is the signed text, `signature` hexadecimal."""

    statement: str
    signature: str


class Proof(Struct, frozen=True, kw_only=True):
    """What docs/verify_proof.py checks. Hashes are hexadecimal: `before` is the leaf of the stream's event before,
    `path` leads from the leaf at `index` of the seal's tree to its root.
    """

    format: str = FORMAT
    event: ProvenEvent
    before: str
    index: int
    path: list[str]
    seal: ProvenSeal


def prove(log: SealedLog, position: int, public: bytes) -> Proof:
    """Raises Unproven where there is no such event, it is not sealed yet, or it is not what was sealed."""
    packed = log.row_at(position)
    if packed is None:
        raise Unproven(f"There is no event at position {position}.")
    seal = log.covering(position)
    if seal is None:
        raise Unproven(f"The event at position {position} is not sealed yet.")
    event = row(packed)
    before = FIRST if event.version == 1 else _leaf(log, log.position_of(event.stream, event.version - 1))
    positions = [record.position for record in records(seal.leaves)]
    index = positions.index(position) if position in positions else None
    if index is None or not seal.is_genuine(public) or hashes(seal.leaves)[index] != leaf_hash(before + packed):
        raise Unproven(f"The event at position {position} is not what was sealed. See `deadwax log verify`.")
    return Proof(
        event=ProvenEvent(
            position,
            UUID(bytes=event.stream),
            event.version,
            event.topic.decode(),
            base64.b64encode(event.state).decode(),
        ),
        before=before.hex(),
        index=index,
        path=[step.hex() for step in path(hashes(seal.leaves), index)],
        seal=ProvenSeal(seal.statement, seal.signature.hex()),
    )


def _leaf(log: SealedLog, position: int | None) -> bytes:
    """Return what was sealed at the position; zeros, which prove nothing, where nothing was."""
    seal = log.covering(position) if position is not None else None
    found = (record.leaf for record in records(seal.leaves if seal else b"") if record.position == position)
    return next(found, FIRST)

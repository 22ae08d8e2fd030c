"""What is found where the log is not what was sealed: each deviation with its exact position and its kind."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from commands.seals.leaves import Record, Row, row
from commands.seals.tree import leaf_hash

LIMIT = 1000
"""So many of a kind are told one by one, and tried for whether they changed places: that is quadratic."""


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`kind` is changed, deleted, inserted, swapped, moved, stream deleted, rolled back, seal altered, seal missing,
    anchor altered or anchor missing. `other` is where the event belongs or went; `until` ends a run of positions.
    """

    kind: str
    position: int | None = None
    until: int | None = None
    other: int | None = None
    stream: UUID | None = None
    seal: int | None = None
    place: str | None = None
    positions: Sequence[int] = ()

    def __str__(self) -> str:
        where = f"position {self.position}" if self.position is not None else f"seal {self.seal}"
        stream = f", stream {self.stream}" if self.stream else ""
        match self.kind:
            case "swapped":
                said = f"swapped with position {self.other}"
            case "moved":
                said = f"the event stands at position {self.other} now"
            case "inserted":
                said = "inserted: nothing was here when this was sealed"
            case "stream deleted":
                where, stream = f"stream {self.stream}", ""
                said = f"deleted whole, positions {', '.join(map(str, self.positions))}"
            case "rolled back":
                where = f"positions {self.position} to {self.until}"
                said = f"gone: the anchors know seals up to {self.seal}, the database is an older one"
            case "anchor altered" | "anchor missing":
                said = f"{self.kind} ({self.place})"
            case "seal altered" | "seal missing":
                where, said = f"seal {self.seal}", self.kind.removeprefix("seal ")
                said += f", of positions {self.position} to {self.until}" if self.position is not None else ""
            case kind:
                said = kind
        return f"{where}{stream}: {said}"


class Deviation(NamedTuple):
    """Where a record and the row at its position differ, or one of them is missing. `before` is the stream's leaf
    before the record.
    """

    record: Record | None
    before: bytes
    packed: bytes | None

    @property
    def position(self) -> int:
        return self.record.position if self.record is not None else row(self.packed or b"").position


def explained(deviations: Sequence[Deviation]) -> Iterator[Fault]:
    """Say what became of each position."""
    homes = dict(_homes(deviations[:LIMIT]))
    went = {stands: belongs for belongs, stands in homes.items()}
    for deviation in deviations:
        record, position = deviation.record, deviation.position
        if record is None:
            if position not in went:
                stream = row(deviation.packed or b"").stream
                yield Fault(kind="inserted", position=position, stream=UUID(bytes=stream))
            continue
        stream_id = UUID(bytes=record.stream)
        if position in homes:
            is_swap = homes.get(homes[position]) == position
            kind = "swapped" if is_swap else "moved"
            yield Fault(kind=kind, position=position, other=homes[position], stream=stream_id)
        else:
            yield Fault(kind="deleted" if deviation.packed is None else "changed", position=position, stream=stream_id)


def _homes(deviations: Sequence[Deviation]) -> Iterator[tuple[int, int]]:
    """Yield (position where an event belongs, position where it stands)."""
    strays = [(row(deviation.packed), deviation.packed) for deviation in deviations if deviation.packed is not None]
    for record, before, packed in deviations:
        if record is None:
            continue
        own = row(packed) if packed is not None else None
        for stray, stands in strays:
            if stands is not packed and _fits(record, before, own, stray):
                yield record.position, stray.position
                break


def _fits(record: Record, before: bytes, own: Row | None, stray: Row) -> bool:
    """Tell whether what was sealed at the record's position is what stands elsewhere: all of it, or a part."""
    could_be = [stray._replace(position=record.position)]
    if own is not None:
        could_be += [
            own._replace(topic=stray.topic, state=stray.state),
            own._replace(state=stray.state),
            own._replace(version=stray.version),
            own._replace(stream=stray.stream, version=stray.version),
        ]
    return any(leaf_hash(before + tried.packed()) == record.leaf for tried in could_be)


def positions_by_stream(faults: Iterable[Fault]) -> dict[UUID, list[int]]:
    """Return the positions of the deleted events of each stream."""
    found: dict[UUID, list[int]] = {}
    for fault in faults:
        if fault.kind == "deleted" and fault.stream is not None and fault.position is not None:
            found.setdefault(fault.stream, []).append(fault.position)
    return found

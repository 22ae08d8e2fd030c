"""A run of seals, and the events that they are about, compared one by one."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from msgspec.structs import replace

from commands.seals.anchors import Anchor
from commands.seals.faults import LIMIT, Deviation, Fault
from commands.seals.leaves import FIRST, records
from commands.seals.log import SealedLog
from commands.seals.seal import Seal
from commands.seals.tree import leaf_hash


class Found(NamedTuple):
    """`events` were compared, up to position `until`; `unsealed` come after. Not all `deviating` ones are kept."""

    events: int
    until: int
    unsealed: int
    faults: list[Fault]
    deviations: list[Deviation]
    deviating: int


class Scan:
    """Compares the log with its seals. The database has them up to `known`; the rest, and those that are not genuine
    there, come from the places. `seals` and `rows` are two connections, since both are read side by side.
    """

    def __init__(self, seals: SealedLog, rows: SealedLog, places: Sequence[Anchor], public: bytes, known: int) -> None:
        self._seals = seals
        self._rows = rows
        self._places = places
        self._public = public
        self._known = known
        self._heads: dict[bytes, bytes] = {}
        self._previous: str | None = None
        self._until = 0
        self._knows_previous = True
        self._faults: list[Fault] = []
        self._deviations: list[Deviation] = []
        self._count = self._events = 0
        self._gone: list[int] = []

    def run(self, last: int, told: Callable[[int], None]) -> Found:
        """`told` is told how many events were compared, after each seal."""
        # Bytes compare as numbers do, but for negative ones.
        for packed in self._rows.rows(-(2**63) - 1, 0):
            self._deviates(Deviation(None, FIRST, packed))
        rows = self._rows.rows(0)
        row = next(rows, None)
        for number, seal in self._genuine(last):
            if seal is not None:
                row = self._compare(number, seal, row, rows)
                told(self._events)
        unsealed = 0 if row is None else 1 + sum(1 for _ in rows)
        self._note_rollback(last)
        return Found(self._events, self._until, unsealed, self._faults, self._deviations, self._count)

    def _compare(self, number: int, seal: Seal, row: bytes | None, rows: Iterator[bytes]) -> bytes | None:
        """Compare the events of one seal; return the first row after them."""
        said = seal.said()
        limit, heads, newest = said.last.to_bytes(8, "big"), self._heads, self._heads.get
        taken: list[bytes] = []
        befores: list[bytes] = []
        made: list[bytes] = []
        while row is not None and (at := row[6:14]) <= limit:
            stream = row[18:34]
            before = newest(stream, FIRST)
            leaf = heads[stream] = sha256(b"\0" + before + row).digest()
            taken.append(row)
            befores.append(before)
            made += (at, stream, leaf)
            row = next(rows, None)
        self._events += len(taken)
        if b"".join(made) != seal.leaves:
            for packed, before in zip(reversed(taken), reversed(befores), strict=True):
                heads[packed[18:34]] = before
            is_gone = row is None and number > self._known
            self._compare_each(seal, taken, said.after.to_bytes(8, "big"), is_gone=is_gone)
        self._until = said.last
        return row

    def _compare_each(self, seal: Seal, taken: Sequence[bytes], after: bytes, *, is_gone: bool) -> None:
        heads, there = self._heads, dict[int, bytes]()
        newest_there = int.from_bytes(taken[-1][6:14], "big") if taken else 0
        for packed in taken:
            position = int.from_bytes(packed[6:14], "big")
            if packed[6:14] <= after:
                # Of a seal that is nowhere to be had: it is told of as that.
                heads[packed[18:34]] = leaf_hash(heads.get(packed[18:34], FIRST) + packed)
            elif position in there:
                self._deviates(Deviation(None, FIRST, packed))
            else:
                there[position] = packed
        for record in records(seal.leaves):
            found = there.pop(record.position, None)
            before = heads.get(record.stream, FIRST)
            if found is None and is_gone and record.position > newest_there:
                self._gone.append(record.position)
            elif found is None or leaf_hash(before + found) != record.leaf:
                self._deviates(Deviation(record, before, found))
            heads[record.stream] = record.leaf
        for packed in there.values():
            self._deviates(Deviation(None, FIRST, packed))

    def _genuine(self, last: int) -> Iterator[tuple[int, Seal | None]]:
        """Yield each seal as the key signed it; None where neither the database nor a place has it like that."""
        stored = self._seals.seals(0, self._known)
        number_stored, seal_stored = next(stored, (0, None))
        for number in range(1, last + 1):
            seal = None
            if number_stored == number:
                seal = seal_stored
                number_stored, seal_stored = next(stored, (0, None))
            if seal is None or not self._continues(number, seal):
                kind = "seal missing" if seal is None else "seal altered"
                seal = next(filter(lambda found: self._continues(number, found), self._kept(number)), None)
                fault = Fault(kind=kind, seal=number)
                if seal is not None:
                    fault = replace(fault, position=seal.said().after + 1, until=seal.said().last)
                self._faults.append(fault)
            if seal is not None:
                self._previous = seal.hash()
            self._knows_previous = seal is not None
            yield number, seal
            if seal is not None:
                self._until = seal.said().last

    def _kept(self, number: int) -> Iterator[Seal]:
        return (seal for place in self._places if (seal := place.find(number)) is not None)

    def _continues(self, number: int, seal: Seal) -> bool:
        """Tell whether the seal is genuine, has this number and goes on where the one before ends."""
        if not seal.is_genuine(self._public):
            return False
        said = seal.said()
        if said.number != number:
            return False
        return not self._knows_previous or (said.previous == self._previous and said.after == self._until)

    def _deviates(self, deviation: Deviation) -> None:
        self._count += 1
        if len(self._deviations) < LIMIT:
            self._deviations.append(deviation)

    def _note_rollback(self, last: int) -> None:
        """Tell as one what the anchors know and an older database does not."""
        if self._gone:
            self._faults = [f for f in self._faults if f.kind != "seal missing" or (f.seal or 0) <= self._known]
            self._faults.append(Fault(kind="rolled back", position=self._gone[0], until=self._gone[-1], seal=last))

"""Sealing: what was logged since the last seal is hashed, signed, and kept outside as well."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec
import structlog

from commands.blobs import Blobs
from commands.seals.anchors import Anchor, anchors
from commands.seals.key import SealKey, seal_key
from commands.seals.leaves import FIRST, hashes
from commands.seals.log import SealedLog
from commands.seals.seal import FORMAT, Seal, Statement
from commands.seals.tree import root
from commands.settings import Settings
from domain.errors import DeadwaxError

EVENTS_IN_SEAL = 4096
SEALS_IN_RUN = 64
_log = structlog.get_logger("seals")


class AnchorsDiffer(DeadwaxError):
    """What is anchored outside is not what the database has."""


class Sealed(NamedTuple):
    """How many events were sealed, and how many seals were put into places."""

    events: int = 0
    anchored: int = 0


def seal_log(settings: Settings, blobs: Blobs) -> Sealed:
    """Seal what is new and anchor it. Any number of processes may do it at once.

    Raises AnchorsDiffer where a place has a seal that the database does not know: an older backup, or worse.
    """
    key = seal_key(settings)
    if key is None:
        _log.debug("not sealed", reason="there is no key")
        return Sealed()
    places = anchors(settings, blobs, key.name)
    with SealedLog(settings.database_url, key.name) as log:
        events = 0
        for _ in range(SEALS_IN_RUN):
            sealed = seal_next(log, key, places)
            events += sealed
            if sealed < EVENTS_IN_SEAL:
                break
        return Sealed(events, anchor_all(log, places))


def seal_next(log: SealedLog, key: SealKey, places: Sequence[Anchor] = ()) -> int:
    """Seal the next events, as many as go into one seal; return how many there were. Raises AnchorsDiffer."""
    with log.transaction():
        if not log.take_turn():
            return 0
        last = log.seal(log.last_number())
        before = last.said() if last is not None else None
        number, after = (before.number + 1, before.last) if before is not None else (1, 0)
        rows = list(log.rows(after, limit=EVENTS_IN_SEAL))
        if not rows:
            return 0
        for place in places:
            if place.find(number) is not None:
                raise AnchorsDiffer(
                    f"Seal {number} is anchored ({place.name}) and the database does not have it: is it from an older"
                    " backup? Nothing is sealed before that is known. See `deadwax log verify`."
                )
        heads = log.heads({row[18:34] for row in rows})
        leaves = chained(rows, heads)
        statement = Statement(
            format=FORMAT,
            key=key.public.hex(),
            number=number,
            previous=last.hash() if last is not None else None,
            after=after,
            last=int.from_bytes(rows[-1][6:14], "big", signed=True),
            count=len(rows),
            root=root(hashes(leaves)).hex(),
            leaves=sha256(leaves).hexdigest(),
            sealed=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        text = msgspec.json.encode(statement)
        log.add(Seal(text.decode(), key.sign(text), leaves), heads)
    return len(rows)


def chained(rows: Sequence[bytes], heads: dict[bytes, bytes]) -> bytes:
    """Return the leaves of these rows. `heads` has the newest leaf of each stream before them, and after them then."""
    made: list[bytes] = []
    for row in rows:
        stream = row[18:34]
        leaf = heads[stream] = sha256(b"\0" + heads.get(stream, FIRST) + row).digest()
        made += (row[6:14], stream, leaf)
    return b"".join(made)


def anchor_all(log: SealedLog, places: Sequence[Anchor]) -> int:
    """Put every seal where it is not known to be; return how many were put. Raises AnchorsDiffer."""
    put = 0
    for place in places:
        while seals := log.unanchored(place.name):
            for seal in seals:
                number = seal.said().number
                there = place.find(number)
                if there is None:
                    place.keep(number, seal)
                    put += 1
                elif there != seal:
                    raise AnchorsDiffer(f"Seal {number} is anchored ({place.name}) as another than the database has.")
                log.anchored(seal, place.name)
    return put

"""Verification: every event hashed again and compared with what was sealed; the seals with each other and with what is
anchored outside.

Where a seal of the database is not genuine, the anchored one takes its place, so that events are still compared one by
one. PostgreSQL reads in its process while this one hashes: a second one here gained nothing on two cores.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from msgspec import Struct

from commands.blobs import Blobs
from commands.seals.anchors import Anchor, anchors, newest
from commands.seals.faults import Fault, explained, positions_by_stream
from commands.seals.key import name_of
from commands.seals.log import SealedLog
from commands.seals.scan import Scan
from commands.settings import Settings


class Verified(Struct, frozen=True, kw_only=True):
    """`events` were compared, up to position `until`; `unsealed` came after that. `anchored` is the newest seal of each
    place. `more_faults` were found and are not told one by one.
    """

    key: str
    seals: int
    events: int
    until: int
    unsealed: int
    anchored: dict[str, int]
    faults: Sequence[Fault]
    more_faults: int


def verify(
    settings: Settings, public: bytes, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Verified:
    """Compare the log with what the key whose public half this is has sealed. `progress` is told (done, about how
    many in all).

    Raises Unavailable.
    """
    with ExitStack() as stack:
        log, rows = (stack.enter_context(SealedLog(settings.database_url, name_of(public))) for _ in range(2))
        places = _places(settings, public, stack)
        # In this order: whoever seals meanwhile writes into the database first.
        guess = log.last_number()
        anchored = {place.name: newest(place, guess) for place in places}
        known = log.last_number()
        total = max(log.newest(), 1)
        found = Scan(log, rows, places, public, known).run(
            max([known, *anchored.values()]), lambda done: progress(min(done, total), total)
        )
        faults = [*found.faults, *_of_places(log, places, anchored, known, public), *explained(found.deviations)]
        faults += _whole_streams(log, faults)
    return Verified(
        key=public.hex(),
        seals=known,
        events=found.events,
        until=found.until,
        unsealed=found.unsealed,
        anchored=anchored,
        faults=sorted(faults, key=lambda fault: (fault.position or 0, fault.kind)),
        more_faults=found.deviating - len(found.deviations),
    )


def _places(settings: Settings, public: bytes, stack: ExitStack) -> list[Anchor]:
    blobs = None
    if settings.s3_endpoint_url:
        blobs = Blobs(settings)
        stack.callback(blobs.close)
    return anchors(settings, blobs, name_of(public))


def _of_places(
    log: SealedLog, places: Sequence[Anchor], anchored: dict[str, int], known: int, public: bytes
) -> Iterator[Fault]:
    """The newest seal of a place vouches for all before it: each holds the hash of the one before."""
    for place in places:
        number = anchored[place.name]
        kept = place.find(number) if number else None
        stored = log.seal(number) if number <= known else None
        is_other = stored is not None and stored.is_genuine(public) and kept != stored
        if kept is not None and (is_other or not kept.is_genuine(public)):
            yield Fault(kind="anchor altered", seal=number, place=place.name)
        if number < log.last_anchored(place.name):
            yield Fault(kind="anchor missing", seal=number + 1, place=place.name)


def _whole_streams(log: SealedLog, faults: Sequence[Fault]) -> list[Fault]:
    """Return the streams of which nothing is left."""
    return [
        Fault(kind="stream deleted", position=positions[0], stream=stream, positions=positions)
        for stream, positions in positions_by_stream(faults).items()
        if not log.has(stream.bytes)
    ]

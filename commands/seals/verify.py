"""Verification: every event hashed again and compared with what was sealed; the seals with each other and with what is
anchored outside.

Where a seal of the database is not genuine, the anchored one takes its place, so that events are still compared one by
one. Two processes share the work: the second one's streams go on from the leaves that the first one checks.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing.sharedctypes import Synchronized
from typing import NamedTuple

from msgspec import Struct

from commands.blobs import Blobs
from commands.seals.anchors import Anchor, anchors, newest
from commands.seals.faults import Fault, explained, positions_by_stream
from commands.seals.key import name_of
from commands.seals.log import SealedLog
from commands.seals.scan import Found, Scan
from commands.settings import Settings

_SECOND_FROM = 0.56
"""Where the second process begins: it has the leaves before to read as well."""
_ALONE_UP_TO = 64
"""Seals that one process has done before another has started."""


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


class _Part(NamedTuple):
    """Seals `first` to `last`, of those that the database (`known`) or a place has, up to position `upper`."""

    settings: Settings
    public: bytes
    known: int
    first: int
    last: int
    upper: int | None


def verify(
    settings: Settings, public: bytes, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Verified:
    """Compare the log with what the key whose public half this is has sealed. `progress` is told (done, events).

    Raises Unavailable.
    """
    with ExitStack() as stack:
        places = _places(settings, public, stack)
        log = stack.enter_context(SealedLog(settings.database_url, name_of(public)))
        # In this order: whoever seals meanwhile writes into the database first.
        guess = log.last_number()
        anchored = {place.name: newest(place, guess) for place in places}
        known = log.last_number()
        top = max([known, *anchored.values()])
        parts = [_Part(settings, public, known, *span) for span in _spans(log, public, known, top)]
        total = max(log.size(), log.newest(), 1)
        found = _run(parts, lambda done: progress(min(done, total), total))
        faults = [fault for part in found for fault in part.faults]
        faults += _of_places(log, places, anchored, known, public)
        faults += explained([one for part in found for one in part.deviations])
        faults = _with_whole_streams(log, faults)
    return Verified(
        key=public.hex(),
        seals=known,
        events=sum(part.events for part in found),
        until=max(part.until for part in found),
        unsealed=sum(part.unsealed for part in found),
        anchored=anchored,
        faults=sorted(faults, key=lambda fault: (fault.position or 0, fault.kind)),
        more_faults=sum(part.deviating - len(part.deviations) for part in found),
    )


def _places(settings: Settings, public: bytes, stack: ExitStack) -> list[Anchor]:
    blobs = None
    if settings.s3_endpoint_url:
        blobs = Blobs(settings)
        stack.callback(blobs.close)
    return anchors(settings, blobs, name_of(public))


def _spans(log: SealedLog, public: bytes, known: int, top: int) -> Iterator[tuple[int, int, int | None]]:
    """Yield (first seal, last seal, last position); None for the log's end. One span where there is little to do."""
    cut = int(known * _SECOND_FROM)
    seal = log.seal(cut) if known > _ALONE_UP_TO else None
    if seal is None or not seal.is_genuine(public) or seal.said().number != cut:
        yield 1, top, None
    else:
        yield 1, cut, seal.said().last
        yield cut + 1, top, None


def _run(parts: Sequence[_Part], told: Callable[[int], None]) -> list[Found]:
    if len(parts) == 1:
        return [_scan(parts[0], told)]
    context = multiprocessing.get_context("spawn")
    done = context.Value("q", 0)
    with ProcessPoolExecutor(1, context, _join, (done,)) as pool:
        other = pool.submit(_scan_joined, parts[1])
        first = _scan(parts[0], lambda events: told(events + done.value))
        return [first, other.result()]


def _scan(part: _Part, told: Callable[[int], None]) -> Found:
    with ExitStack() as stack:
        places = _places(part.settings, part.public, stack)
        seals, rows = (
            stack.enter_context(SealedLog(part.settings.database_url, name_of(part.public))) for _ in range(2)
        )
        return Scan(seals, rows, places, part.public, part.known).run(part.first, part.last, part.upper, told)


_done: "Synchronized[int]"


def _join(done: "Synchronized[int]") -> None:
    """Hand a new process the counter: it passes only to a process that is being started."""
    global _done  # noqa: PLW0603
    _done = done


def _scan_joined(part: _Part) -> Found:
    def told(events: int) -> None:
        _done.value = events

    return _scan(part, told)


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


def _with_whole_streams(log: SealedLog, faults: Sequence[Fault]) -> list[Fault]:
    """Add the streams of which nothing is left."""
    whole = [
        Fault(kind="stream deleted", position=positions[0], stream=stream, positions=positions)
        for stream, positions in positions_by_stream(faults).items()
        if not log.has(stream.bytes)
    ]
    return [*faults, *whole]

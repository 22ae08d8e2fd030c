"""Get-or-create of artists and music labels by name."""

from collections.abc import Iterable, Mapping
from threading import Lock
from types import MappingProxyType
from uuid import UUID
from weakref import WeakKeyDictionary

from msgspec import UnsetType

from commands.store import Store
from commands.work import Work
from domain.credit import credit
from domain.credit.credit import ARTIST, LABEL
from domain.event import Change
from domain.product.events import Credit

_KNOWN_LIMIT = 100_000
Name = tuple[str, str]
"""(noun, name), e.g. ("artist", "The Beatles")."""

# A credit never changes once it is in its log, so what was read of it stays true for as long as the log is open.
_known: WeakKeyDictionary[Store, dict[UUID, Credit]] = WeakKeyDictionary()
_lock = Lock()


def given(artist: str | UnsetType | None, music_label: str | UnsetType | None) -> dict[str, Name]:
    """Return the names that are not blank, by the product's field."""
    names = {"artist": (ARTIST, artist), "music_label": (LABEL, music_label)}
    tidied = {field: (noun, credit.tidy(name)) for field, (noun, name) in names.items() if isinstance(name, str)}
    return {field: name for field, name in tidied.items() if name[1]}


def resolve(
    work: Work, names: Iterable[Name], coming: Mapping[UUID, Credit] = MappingProxyType({})
) -> tuple[dict[Name, Credit], list[Change]]:
    """Return the credit of each name, and the changes that create those which are new.

    Names are given tidied. The changes belong into the same save as what refers to them; a parallel writer that makes
    the same one first turns that save into a Conflict, and the next attempt finds it. `coming` are those that a save
    makes which will be over before this one.
    """
    ids = {name: credit.credit_id(work.context.organization, *name) for name in dict.fromkeys(names)}
    known = _known.setdefault(work.store, {})
    unknown = [id for id in ids.values() if id not in known and id not in coming]
    if unknown:
        found = {id: Credit(id, getattr(event, "name")) for id, event in work.store.firsts(unknown).items()}  # noqa: B009
        with _lock:
            if len(known) > _KNOWN_LIMIT:
                known.clear()
            known.update(found)
    made: dict[UUID, Credit] = {}
    changes: list[Change] = []
    resolved: dict[Name, Credit] = {}
    for name, id in ids.items():
        existing = known.get(id) or made.get(id) or coming.get(id)
        if existing is None:
            event = credit.create(*name, work.stamp)
            existing = made[id] = Credit(id, event.name)
            changes.append(Change(id, None, [event], existing))
        resolved[name] = existing
    return resolved, changes

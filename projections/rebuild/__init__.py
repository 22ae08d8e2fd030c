"""Tables made anew from the log beside the live ones, which are read and written meanwhile.

New tables, in a schema of their own that comes first in the search path, are filled from one snapshot of the log by
several processes; then they get their indexes, catch up with what was written since, are compared with the live ones,
and take their place under a short lock. The ones that were live are kept, and can come back.
"""

from collections.abc import Sequence
from typing import NamedTuple

from projections.parked import Parking
from projections.rebuild import schema as schemas
from projections.rebuild.comparing import Compared, Differs, Verified
from projections.rebuild.filling import Told
from projections.rebuild.known import CATALOGUE, NAMES, find
from projections.rebuild.progress import Aside
from projections.rebuild.run import NothingThere, Run, alone
from projections.rebuild.swapping import BUDGET_MS, Swap, Swapped

__all__ = [
    "BUDGET_MS",
    "NAMES",
    "TABLES",
    "Aside",
    "Compared",
    "Differs",
    "NothingThere",
    "Rebuilt",
    "Swapped",
    "Verified",
    "drop",
    "rebuild",
    "rollback",
    "swap",
    "verify",
]

TABLES = ("product_list", "product_document", "inventory_list", "presence_list")
"""What a rebuild of the catalogue makes from the log: no backup needs their rows."""


class Rebuilt(NamedTuple):
    """What a rebuild did: events folded and objects made of them, and the log position that the tables tell. `swapped`
    is None where they wait beside the live ones, `verified` where they were not compared. `aside` could not be folded.
    """

    name: str
    units: str
    events: int
    objects: int
    position: int
    was_resumed: bool = False
    swapped: Swapped | None = None
    verified: Verified | None = None
    aside: Sequence[Aside] = ()


def _quiet(_stage: str, _done: int, _total: int) -> None:
    pass


def rebuild(
    database_url: str,
    processes: int = 2,
    *,
    name: str = CATALOGUE.name,
    told: Told = _quiet,
    verified: bool = False,
    swapped: bool = True,
    keep: bool = True,
    park: bool = False,
    anew: bool = False,
) -> Rebuilt:
    """Make a projection's tables anew; one that was broken off is gone on with, but with `anew`.

    With `verified` they are compared with the live ones first; without `swapped` they wait beside them. `keep` says
    whether the live ones are kept then. With `park` an object that cannot be folded keeps its live rows.
    Raises UnfoldableEvent with the stream and position, Differs, Conflict where another rebuild runs or the swap found
    no moment for its lock, Unavailable; each leaves the live tables as they were.
    """
    projection, schema = find(name), schemas.new_schema(name)
    with alone(database_url, schema) as connection:
        run = Run(connection, database_url, projection, schema, park=park)
        was_resumed = run.begin(processes, anew=anew)
        run.fill(processes, told)
        run.index(told)
        made = _finished(run, processes, told, verified=verified, swapped=swapped, keep=keep, was_resumed=was_resumed)
    _park(database_url, made.aside)
    return made


def swap(database_url: str, name: str, *, told: Told = _quiet, verified: bool = True, processes: int = 2) -> Rebuilt:
    """Let tables that a rebuild left beside the live ones take their place.

    Raises what rebuild raises, and NothingThere.
    """
    projection, schema = find(name), schemas.new_schema(name)
    with alone(database_url, schema) as connection:
        run = Run(connection, database_url, projection, schema, park=True)
        run.go_on()
        made = _finished(run, processes, told, verified=verified, swapped=True, keep=True, was_resumed=True)
    _park(database_url, made.aside)
    return made


def rollback(database_url: str, name: str, *, told: Told = _quiet) -> Swapped:
    """Bring the tables back that were live before, with all that was written since; those that are live now are kept.

    Raises NothingThere, and what rebuild raises.
    """
    projection, schema = find(name), schemas.kept_schema(name)
    with alone(database_url, schema) as connection:
        run = Run(connection, database_url, projection, schema, park=True)
        run.go_on()
        return Swap(run).run(told)


def drop(database_url: str, name: str) -> list[str]:
    """Drop the tables that were kept, and those of a rebuild that was not swapped; return which of them there were."""
    schemas_of = {"kept": schemas.kept_schema(name), "new": schemas.new_schema(name)}
    with alone(database_url, schemas.new_schema(name)) as connection:
        return [what for what, schema in schemas_of.items() if schemas.drop(connection, schema)]


def verify(database_url: str, name: str, *, processes: int = 2, told: Told = _quiet) -> Verified:
    """Make the tables anew in a schema for nothing else, and compare the live ones with them while those are written.

    Raises what rebuild raises.
    """
    projection, schema = find(name), schemas.scratch_schema(name)
    with alone(database_url, schema) as connection:
        run = Run(connection, database_url, projection, schema, park=True)
        try:
            run.begin(processes, anew=True)
            run.fill(processes, told)
            run.index_keys(told)
            verified = run.compare(processes, told)
        finally:
            schemas.drop(connection, schema)
    _park(database_url, verified.aside)
    return verified


def _park(database_url: str, aside: Sequence[Aside]) -> None:
    """Note what could not be folded, and that what could not before can be now."""
    with Parking(database_url) as parking:
        parking.park(aside)
        parking.retry()


def _finished(
    run: Run, processes: int, told: Told, *, verified: bool, swapped: bool, keep: bool, was_resumed: bool
) -> Rebuilt:
    compared = run.compare(processes, told) if verified else None
    if compared is not None and compared.differing and swapped:
        advice = f"`deadwax projections swap {run.projection.name} --no-verify` swaps the new tables in all the same."
        raise Differs(compared, advice)
    made = run.progress()
    aside = run.notes.aside()
    exchanged = Swap(run).run(told, keep=keep) if swapped else None
    return Rebuilt(
        run.projection.name,
        run.projection.units,
        made.events,
        made.objects,
        exchanged.position if exchanged is not None else made.position,
        was_resumed,
        exchanged,
        compared,
        aside,
    )

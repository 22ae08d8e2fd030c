"""`deadwax projections`: tables made anew from the log, compared with it, exchanged and brought back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from api.cli_database import database
from projections.rebuild.filling import Told
from projections.rebuild.known import CATALOGUE, NAMES

_NAME = Annotated[str, typer.Argument(help=f"Which: {', '.join(NAMES)}.")]
_JSON = Annotated[bool, typer.Option("--json", help="For programs: one object.")]
_PROCESSES = Annotated[int, typer.Option(help="How many processes fold streams.", min=1, max=64)]
_NO_VERIFY = Annotated[bool, typer.Option("--no-verify", help="Do not compare them with the live ones first.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The read tables: rebuild them from the log, and verify them.", no_args_is_help=True)
    group.callback()(lambda: None)
    for command in (status, rebuild, verify, swap, rollback, drop):
        group.command()(command)
    app.add_typer(group, name="projections")


def status(
    as_json: _JSON = False,
    retry: Annotated[bool, typer.Option("--retry", help="First see which parked streams can be folded now.")] = False,
) -> None:
    """Show each projection: its tables, those being made beside them, those that were kept; and parked streams."""
    from projections.parked import Parking
    from projections.rebuild.status import status as status_of

    with database() as database_url, Parking(database_url) as parking:
        freed = parking.retry() if retry else []
        found, parked = status_of(database_url), parking.listed()
    if as_json:
        facts = {"is_worked_at": found.is_worked_at, "projections": [one._asdict() for one in found.projections]}
        for fact in facts["projections"]:  # type: ignore[attr-defined] # the list of the line before
            fact |= {beside: fact[beside] and fact[beside]._asdict() for beside in ("new", "kept")}
        rows = [one._asdict() for one in parked]
        typer.echo(msgspec.json.encode(facts | {"parked": rows, "unparked": freed}).decode())
        return
    for one in found.projections:
        typer.echo(f"{one.name}: {', '.join(one.tables)}; about {one.rows:,} rows, {_size(one.size_bytes)}")
        if one.version < one.newest_version:
            typer.echo(f"  of form {one.version}; this version of Deadwax wants form {one.newest_version}")
        if one.built is not None:
            typer.echo(f"  made anew {one.built.isoformat(timespec='seconds')}, from position {one.position or 0:,}")
        if one.new is not None:
            done = f", {one.new.shares_done} of {one.new.shares} shares" if one.new.stage != "ready" else ""
            at_it = "" if found.is_worked_at else "; `rebuild` goes on with it, `drop` drops it"
            typer.echo(f"  new: {one.new.stage}{done}, {_size(one.new.size_bytes)}{at_it}")
        if one.kept is not None:
            since = one.kept.started.isoformat(timespec="seconds")
            typer.echo(f"  kept since {since}, {_size(one.kept.size_bytes)}; `rollback` brings them back")
    for stream in freed:
        typer.echo(f"unparked: {stream}")
    for row in parked:
        since = row.since.isoformat(timespec="seconds")
        typer.echo(f"parked: {row.stream} at position {row.position:,} ({row.topic}) since {since}: {row.reason}")


def rebuild(
    name: _NAME = CATALOGUE.name,
    processes: _PROCESSES = 2,
    no_swap: Annotated[bool, typer.Option("--no-swap", help="Leave them beside the live ones, for `swap`.")] = False,
    no_verify: _NO_VERIFY = False,
    park: Annotated[
        bool, typer.Option("--park", help="Leave out what cannot be folded: its rows stay as they are.")
    ] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Do not go on with a rebuild that was broken off.")] = False,
    as_json: _JSON = False,
) -> None:
    """Make tables anew beside the live ones, which are read and written meanwhile, and let them take their place.

    One that was broken off goes on where it was. The tables that were live are kept: see rollback and drop.
    """
    from projections.rebuild import rebuild as rebuilt_of

    with _working(name, as_json) as (database_url, told):
        started = time.monotonic()
        rebuilt = rebuilt_of(
            database_url,
            processes,
            name=name,
            told=told,
            verified=not no_verify,
            swapped=not no_swap,
            park=park,
            anew=anew,
        )
    _tell_rebuilt(rebuilt, time.monotonic() - started, as_json)


def swap(name: _NAME, no_verify: _NO_VERIFY = False, as_json: _JSON = False) -> None:
    """Let the tables that `rebuild --no-swap` made take the live ones' place, caught up with what was written since."""
    from projections.rebuild import swap as swapped_of

    with _working(name, as_json) as (database_url, told):
        started = time.monotonic()
        rebuilt = swapped_of(database_url, name, told=told, verified=not no_verify)
    _tell_rebuilt(rebuilt, time.monotonic() - started, as_json)


def verify(
    name: Annotated[str | None, typer.Argument(help=f"Which: {', '.join(NAMES)} [all].")] = None,
    processes: _PROCESSES = 2,
    as_json: _JSON = False,
) -> None:
    """Make tables anew for nothing else, and compare the live ones with them. Exit code 1: they differ."""
    from projections.rebuild import verify as verified_of

    found = []
    started = time.monotonic()
    with _working(name or CATALOGUE.name, as_json) as (database_url, told):
        for each in NAMES if name is None else (name,):
            found.append(verified_of(database_url, each, processes=processes, told=told))  # noqa: PERF401
    seconds = time.monotonic() - started
    is_same = all(one.is_same for one in found)
    if as_json:
        facts = {"verified": is_same, "projections": [_verified_facts(one) for one in found]}
        typer.echo(msgspec.json.encode(facts | {"seconds": round(seconds, 3)}).decode())
    for one in () if as_json else found:
        if one.differing:
            typer.echo(one.said())
        for aside in one.aside:
            typer.echo(f"{one.name}: event {aside.position} of stream {aside.stream} ({aside.topic}): {aside.reason}")
        rows = sum(table.rows for table in one.tables.values())
        typer.echo(f"{one.name}: {'verified' if one.is_same else 'DIFFERS'}, {rows:,} rows")
    if not is_same:
        raise typer.Exit(1)


def rollback(name: _NAME, as_json: _JSON = False) -> None:
    """Bring the tables back that were live before the last swap, with all that was written since."""
    from projections.rebuild import rollback as rolled_back

    with _working(name, as_json) as (database_url, told):
        swapped = rolled_back(database_url, name, told=told)
    if as_json:
        typer.echo(msgspec.json.encode({"name": name, **swapped._asdict()}).decode())
        return
    typer.echo(f"{name}: back, as of position {swapped.position:,}; writers waited {swapped.locked_ms:.0f} ms at most")


def drop(name: _NAME, as_json: _JSON = False) -> None:
    """Drop the tables that were kept, and those of a rebuild that was not swapped. The live ones stay."""
    from projections.rebuild import drop as dropped

    with _working(name, as_json) as (database_url, _):
        found = dropped(database_url, name)
    if as_json:
        typer.echo(msgspec.json.encode({"name": name, "dropped": found}).decode())
        return
    typer.echo(f"{name}: {' and '.join(found) or 'nothing'} dropped")


@contextmanager
def _working(name: str, is_quiet: bool) -> Iterator[tuple[str, Told]]:
    """Give the database's URL, and what draws how far the work is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if name not in NAMES:
        raise typer.BadParameter(f"{name}: expected {', '.join(NAMES)}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        database() as database_url,
        Progress(*columns, console=Console(stderr=True), transient=True, disable=is_quiet) as progress,
    ):
        task = progress.add_task(name, total=None)
        stage = ""

        def told(what: str, done: int, total: int) -> None:
            nonlocal stage
            if what != stage:
                # Another thing takes another time for each part: what it takes is measured anew.
                progress.reset(task, description=f"{what} {name}", total=total)
                stage = what
            progress.update(task, completed=done, total=total)

        yield database_url, told


def _tell_rebuilt(rebuilt: Any, seconds: float, as_json: bool) -> None:
    if as_json:
        facts = {"name": rebuilt.name, "objects": rebuilt.objects, "events": rebuilt.events}
        facts |= {"position": rebuilt.position, "was_resumed": rebuilt.was_resumed, "seconds": round(seconds, 3)}
        facts["swapped"] = rebuilt.swapped and rebuilt.swapped._asdict()
        facts["verified"] = rebuilt.verified and _verified_facts(rebuilt.verified)
        facts["aside"] = [one._asdict() for one in rebuilt.aside]
        typer.echo(msgspec.json.encode(facts).decode())
        return
    for aside in rebuilt.aside:
        typer.echo(f"left as it was: {aside.object}, for event {aside.position} ({aside.topic}): {aside.reason}")
    made = f"{rebuilt.name}: {rebuilt.objects:,} {rebuilt.units} from {rebuilt.events:,} events in {seconds:.1f} s"
    if rebuilt.swapped is None:
        differing = rebuilt.verified.differing if rebuilt.verified is not None else 0
        said = f"; {rebuilt.verified.said()}" if differing else ""
        typer.echo(f"{made}, beside the live tables{said}")
    else:
        typer.echo(f"{made}; writers waited {rebuilt.swapped.locked_ms:.0f} ms at most")


def _verified_facts(found: Any) -> dict[str, Any]:
    tables = {name: table._asdict() for name, table in found.tables.items()}
    return {"name": found.name, "is_same": found.is_same, "tables": tables, "aside": [a._asdict() for a in found.aside]}


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.1f} MiB"

"""`deadwax projections`: make a read table again from the log."""

import time
from typing import Annotated

import msgspec
import typer

from api.cli_database import database

CATALOGUE, PURCHASES = _NAMES = ("catalogue", "purchases")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The read tables: rebuild them from the log.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command()(rebuild)
    app.add_typer(group, name="projections")


def rebuild(
    name: Annotated[str, typer.Argument(help=f"Which tables: {', '.join(_NAMES)}.")] = _NAMES[0],
    processes: Annotated[int, typer.Option(help="How many processes fold streams.", min=1, max=64)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one object.")] = False,
) -> None:
    """Rebuild tables beside the live ones, which are read and written meanwhile, and let them take their place."""
    if name not in _NAMES:
        raise typer.BadParameter(f"{name}: expected {', '.join(_NAMES)}")
    started = time.monotonic()
    with database() as database_url:
        made, facts = (_purchases if name == PURCHASES else _catalogue)(database_url, processes, as_json)
    seconds = time.monotonic() - started
    if as_json:
        typer.echo(msgspec.json.encode({"name": name, **facts, "seconds": round(seconds, 3)}).decode())
        return
    typer.echo(f"{name}: {made} from {facts['events']:,} events in {seconds:.1f} s")


def _catalogue(database_url: str, processes: int, is_quiet: bool) -> tuple[str, dict[str, int]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from projections.rebuild import rebuild as rebuilt_of

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=is_quiet) as progress:
        task = progress.add_task(f"Rebuilding {CATALOGUE}", total=None)
        rebuilt = rebuilt_of(
            database_url, processes, lambda done, total: progress.update(task, completed=done, total=total)
        )
    facts = {"products": rebuilt.products, "events": rebuilt.events, "position": rebuilt.position}
    return f"{rebuilt.products:,} products", facts


def _purchases(database_url: str, _processes: int, _is_quiet: bool) -> tuple[str, dict[str, int]]:
    from projections.purchase_rebuild import rebuild as rebuilt_of

    rebuilt = rebuilt_of(database_url)
    return f"{rebuilt.purchases:,} purchases", {"purchases": rebuilt.purchases, "events": rebuilt.events}

"""`deadwax projections`: make a read table again from the log."""

import time
from typing import Annotated

import msgspec
import typer

from api.cli_database import database

_NAMES = ("catalogue",)


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
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from projections.rebuild import rebuild as rebuilt_of

    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with database() as database_url, Progress(*columns, transient=True, disable=as_json) as progress:
        task = progress.add_task(f"Rebuilding {name}", total=None)
        rebuilt = rebuilt_of(
            database_url, processes, lambda done, total: progress.update(task, completed=done, total=total)
        )
    seconds = time.monotonic() - started
    if as_json:
        facts = {"name": name, "products": rebuilt.products, "events": rebuilt.events, "seconds": round(seconds, 3)}
        typer.echo(msgspec.json.encode(facts | {"position": rebuilt.position}).decode())
        return
    typer.echo(f"{name}: {rebuilt.products:,} products from {rebuilt.events:,} events in {seconds:.1f} s")

"""`deadwax settings`: what this process would run with, and where that comes from."""

import json
from typing import Annotated

import typer

from commands.settings import Settings


def register(app: typer.Typer) -> None:
    app.command()(settings)


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of objects.")] = False,
) -> None:
    """List every setting with its value (secrets masked) and its source."""
    rows = Settings.load().shown()
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], indent=2))
        return
    headings = ("VARIABLE", "VALUE", "SOURCE", "MEANING")
    lines = [headings, *((row.variable, row.value or "-", row.source, row.meaning) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, [*widths, 0], strict=True)))

"""`deadwax export`: what is for sale, as the file that a marketplace takes."""

import asyncio
import csv
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer

from api.cli_database import database, named_organization
from domain.currencies import CURRENCIES
from domain.errors import DeadwaxError
from domain.rates import USD
from projections.organizations import Organization


class Format(StrEnum):
    DISCOGS = "discogs"


class NotWritten(DeadwaxError):
    """The export could not be written."""


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    format: Annotated[Format, typer.Option(help="discogs: the CSV that its sellers upload.")],
    organization: Annotated[str | None, typer.Option(help="Whose items; may be left out where there is one.")] = None,
    output: Annotated[Path | None, typer.Option(help="Where to [standard output].")] = None,
    currency: Annotated[str, typer.Option(help="What the prices are in: the seller's own currency on Discogs.")] = USD,
    unlisted: Annotated[bool, typer.Option("--unlisted", help="Without what has a listing there already.")] = False,
) -> None:
    """Write what is available or listed as a file to upload. What a marketplace would not take is named on stderr."""
    currency = currency.upper()
    if currency not in CURRENCIES:
        raise typer.BadParameter(f"{currency}: expected a currency code such as USD", param_hint="--currency")
    with database() as url:
        owner = named_organization(url, organization)
        try:
            with _opened(output) as file:
                asyncio.run(_WRITERS[format](url, owner, file, currency, unlisted))
        except BrokenPipeError:
            # Whoever reads has enough; what is still buffered goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            raise NotWritten(f"{output or 'standard output'}: {error.strerror}") from error


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[str]]:
    """Give a file for text; `path` becomes what was written, or stays what it was."""
    if path is None:
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as file:
            yield file
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


async def _discogs(url: str, owner: Organization, file: IO[str], currency: str, unlisted: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from projections.base import Reader
    from projections.discogs_upload import COLUMNS, LOCATION, LeftOut, sellable, upload_rows

    console = Console(stderr=True)
    # On one terminal the rows and the bar would write over each other.
    is_shown = console.is_terminal and not file.isatty()
    written = left_out = 0
    columns = (TextColumn("Exporting"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as bar:
        async with Reader(url, size=1) as reader:
            found = await sellable(reader, owner.id)
            task = bar.add_task("Exporting", total=found.total)
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*COLUMNS, LOCATION] if found.has_location else COLUMNS)
            width = len(COLUMNS) + found.has_location
            async for row in upload_rows(reader, owner.id, currency, only_unlisted=unlisted):
                bar.advance(task)
                if isinstance(row, LeftOut):
                    left_out += 1
                    typer.echo(f"{row.item} of {row.product} {row.title!r}: {row.reason}", err=True)
                else:
                    written += 1
                    writer.writerow(row.cells[:width])
    typer.echo(f"{written:,} {'item' if written == 1 else 'items'} written, {left_out:,} left out", err=True)


_WRITERS = {Format.DISCOGS: _discogs}

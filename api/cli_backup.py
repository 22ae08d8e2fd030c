"""`deadwax backup` and `deadwax restore`: everything that is record, in one folder or file, and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from commands.blobs import Blobs
from commands.settings import Settings
from domain.errors import DeadwaxError

_VERIFY = "verify"
_JSON = Annotated[bool, typer.Option("--json", help="For programs: what the backup holds, one object.")]


class Damaged(DeadwaxError):
    """The backup is damaged."""


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    target: Annotated[str, typer.Argument(metavar="FOLDER|FILE.tar", help="Where to; or the word verify.")],
    existing: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="After verify: which backup to read.")
    ] = None,
    with_blobs: Annotated[bool, typer.Option("--with-blobs", help="Pictures and other files too.")] = False,
    as_json: _JSON = False,
) -> None:
    """Back up the log and all else that is record, as of one moment, and read it back. `backup verify FILE` reads one.

    The tables that are made from the log are not in it, nor is the key that the log is sealed with.
    """
    from commands.backup import backup as backups
    from engines.postgres import client_programs
    from projections.rebuild import TABLES

    if target == _VERIFY:
        if existing is None:
            raise typer.BadParameter("which backup?", param_hint="FILE")
        manifest, problems = backups.check(existing, client_programs())
        if problems:
            raise Damaged(f"{existing} is damaged: {'; '.join(problems)}")
    elif existing is not None:
        raise typer.BadParameter("one place at a time", param_hint="FILE")
    else:
        with _engines(Settings.load()) as settings, _blobs(settings) as blobs, _telling(quiet=as_json) as told:
            manifest = backups.backup(
                Path(target),
                settings.database_url,
                blobs,
                rebuilt=TABLES,
                programs=client_programs(),
                with_blobs=with_blobs,
                told=told,
            )
    if as_json:
        typer.echo(msgspec.json.encode(manifest).decode())
        return
    events = manifest.tables["events"].rows
    rows = sum(table.rows for table in manifest.tables.values())
    files = "whole" if manifest.with_blobs else "named, with their hashes"
    typer.echo(
        f"Read back whole: {events:,} events up to position {manifest.position:,}, {rows:,} rows in all;"
        f" {manifest.blobs:,} files {files}; of {manifest.created}, {manifest.migration}"
    )


def restore(
    source: Annotated[Path, typer.Argument(metavar="FOLDER|FILE.tar", help="What `deadwax backup` wrote.")],
    as_json: _JSON = False,
) -> None:
    """Restore a backup into an empty database, and the files that are in it; the other tables are made from the log."""
    from commands.backup import backup as backups
    from commands.migrate import migrate
    from engines.postgres import client_programs
    from projections.rebuild import rebuild

    given = Settings.load()
    with _engines(given) as settings, _blobs(settings) as blobs, _telling(quiet=as_json) as told:

        def finish() -> None:
            migrate(settings.database_url)
            rebuild(settings.database_url, keep=False)

        manifest = backups.restore(
            source, settings.database_url, blobs, finish=finish, programs=client_programs(), told=told
        )
    if as_json:
        typer.echo(msgspec.json.encode(manifest).decode())
        return
    files = f", {manifest.blobs:,} files" if manifest.with_blobs else "; the file store is as it was"
    typer.echo(f"Restored: {manifest.tables['events'].rows:,} events up to position {manifest.position:,}{files}")


@contextmanager
def _engines(given: Settings) -> Iterator[Settings]:
    from engines.reach import reached

    with reached(given, "database_url", "s3_endpoint_url") as settings:
        yield settings


@contextmanager
def _blobs(settings: Settings) -> Iterator[Blobs]:
    blobs = Blobs(settings)
    try:
        yield blobs
    finally:
        blobs.close()


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Give what shows a person what is being done."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet)
    with console.status("…") as status:
        yield lambda text: status.update(f"{text} …")

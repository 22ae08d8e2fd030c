"""`deadwax images`: pictures that the workers gave up."""

from typing import Annotated

import msgspec
import typer

from api.cli_database import database
from domain import ids


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Pictures whose small sizes could not be made.", no_args_is_help=True)
    group.command()(failed)
    group.command()(retry)
    app.add_typer(group, name="images")


def failed(as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of objects.")] = False) -> None:
    """List them with the reason. Their originals are shown in place of the small sizes."""
    from projections.images import Images

    with database() as database_url, Images(database_url) as images:
        rows = [
            {"uid": ids.uid(ids.ASSET, row.id), "organization": ids.uid(ids.ORGANIZATION, row.organization)}
            | {"error": row.error}
            for row in images.failed()
        ]
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        typer.echo("  ".join(row.values()))


def retry() -> None:
    """Have the workers try all of them again."""
    from projections.images import Images

    with database() as database_url, Images(database_url) as images:
        typer.echo(f"{images.retry()} to be tried again")

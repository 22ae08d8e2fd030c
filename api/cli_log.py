"""`deadwax log`: the log itself."""

import typer

from api import cli_events


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The log: what happened.", no_args_is_help=True)
    group.callback()(lambda: None)
    cli_events.register(group)
    app.add_typer(group, name="log")

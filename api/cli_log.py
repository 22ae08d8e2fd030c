"""`deadwax log`: what happened, shown, followed, exported, sealed and proven."""

import typer

from api import cli_events, cli_seals


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The log: what happened, and the proof that it is untouched.", no_args_is_help=True)
    group.callback()(lambda: None)
    cli_events.register(group)
    cli_seals.register(group)
    app.add_typer(group, name="log")

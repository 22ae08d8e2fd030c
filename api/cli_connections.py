"""`deadwax connections`: what opens accounts on marketplaces, sealed anew under a new DEADWAX_SECRET_KEY."""

import typer

from api.cli_database import database
from commands.settings import Settings


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Connections to marketplaces.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command()(reseal)
    app.add_typer(group, name="connections")


def reseal() -> None:
    """Seal all credentials under DEADWAX_SECRET_KEY that DEADWAX_PREVIOUS_SECRET_KEY opens still."""
    from commands.vault import Unsealable, Vault
    from projections.credential import Credentials

    settings = Settings.load()
    settings.require("secret_key")
    vault = Vault(settings.secret_key, settings.previous_secret_key)
    resealed = lost = 0
    with database() as url, Credentials(url) as credentials:
        for connection in credentials.connections():
            with credentials.held(connection) as held:
                if held.sealed is None or vault.is_newest(held.sealed):
                    continue
                try:
                    opened = vault.open(connection, held.sealed)
                except Unsealable:
                    lost += 1
                    continue
                held.replace(vault.seal(connection, opened))
                resealed += 1
    typer.echo(f"{resealed} sealed anew" + (f", {lost} cannot be opened: connect those again" if lost else ""))
    if lost:
        raise typer.Exit(1)

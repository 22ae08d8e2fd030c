"""The `deadwax` command. Each group of commands is a module of its own that registers itself here."""

import sys

import typer

from api import (
    cli_backup,
    cli_connections,
    cli_erase,
    cli_export,
    cli_import,
    cli_keys,
    cli_log,
    cli_mail,
    cli_organization,
    cli_projections,
    cli_sandbox,
    cli_serve,
    cli_settings,
    cli_sync,
    cli_todo,
)
from commands.settings import SettingsError
from domain.errors import DeadwaxError
from engines.program import EngineError

app = typer.Typer(
    help="An event-sourced products backend for record sellers and digital creators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_GROUPS = (
    cli_serve,
    cli_backup,
    cli_import,
    cli_export,
    cli_organization,
    cli_keys,
    cli_mail,
    cli_erase,
    cli_todo,
    cli_log,
    cli_connections,
    cli_sync,
    cli_projections,
    cli_sandbox,
    cli_settings,
)
for group in _GROUPS:
    group.register(app)


def main() -> None:
    """Run a command; what a person can put right is one line on stderr and exit code 1."""
    try:
        app()
    except (SettingsError, EngineError, DeadwaxError) as error:
        sys.exit(f"deadwax: {'; '.join(str(error).splitlines())}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

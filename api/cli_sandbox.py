"""`deadwax sandbox`: marketplaces to try things on, on this machine, without an account."""

import os
import sys

import typer


def register(app: typer.Typer) -> None:
    app.command()(sandbox)


def sandbox() -> None:
    """Start test servers of eBay and Discogs, and say how to connect to them."""
    os.execv(sys.executable, (sys.executable, "-I", "-u", "-m", "sandbox"))

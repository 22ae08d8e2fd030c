"""Tables as shell commands print them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import typer


def said(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return "-" if value is None else str(value)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    cells = [[said(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for line in (headings, *cells):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

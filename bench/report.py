"""The table that a run prints and keeps."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_START, _END = "<!-- figures -->", "<!-- end of figures -->"


class Figure(NamedTuple):
    """One line: what was measured, beside what, and their ratio. `wanted` is the bound it is held to."""

    name: str
    ours: str
    limit: str
    ratio: str
    wanted: str
    met: bool


def ratio(name: str, unit: str, pairs: Sequence[tuple[float, float]], at_least: float) -> Figure:
    """Compare (ours, limit) measured in turns: the ratio is the median of the pairs' ratios."""
    ours, limits = zip(*pairs, strict=True)
    value = median(a / b for a, b in pairs)
    shown = (f"{median(ours):,.0f} {unit}", f"{median(limits):,.0f} {unit}")
    return Figure(name, *shown, f"{value:.2f}", f"≥ {at_least:g}", value >= at_least)


def rate(name: str, unit: str, values: Iterable[float], at_least: float) -> Figure:
    value = median(values)
    return Figure(
        name, f"{value:,.0f} {unit}", "–", f"{value / at_least:.2f}", f"≥ {at_least:,.0f} {unit}", value >= at_least
    )


def show(figures: Iterable[Figure]) -> None:
    table = Table("", "Deadwax", "beside", "ratio", "wanted", "met")
    for figure in figures:
        table.add_row(*figure[:5], "yes" if figure.met else "NO")
    Console(width=140).print(table)


def keep(figures: Iterable[Figure], setting: str) -> None:
    """Write the figures into docs/performance.md, between its marks."""
    head, rest = PAGE.read_text().split(_START)
    tail = rest.split(_END)[1]
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}; {setting}.",
        "",
        "| | Deadwax | beside | ratio | wanted | met |",
        "|---|---|---|---|---|---|",
        *("| " + " | ".join([*figure[:5], "yes" if figure.met else "**no**"]) + " |" for figure in figures),
    ]
    PAGE.write_text(f"{head}{_START}\n{chr(10).join(lines)}\n{_END}{tail}")

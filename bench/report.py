"""The tables that a run prints and keeps."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_START, _END = "<!-- figures -->", "<!-- end of figures -->"
_GROUP = re.compile(r"^### (.+)$", re.MULTILINE)
_PARTS = ("", "Deadwax", "beside", "ratio", "wanted")

RACE = "Reads of {}: requests/s of Deadwax and of what would be taken instead"
PARTS = "Writes, import, rebuild, memory"
"""Titles of groups, in the order in which the page shows them; others follow."""


class Row(NamedTuple):
    """What was measured first. `met` is None where nothing is wanted."""

    cells: Sequence[str]
    met: bool | None


class Group(NamedTuple):
    """One table: `header` names the cells; what is wanted stands in the last one."""

    title: str
    header: Sequence[str]
    rows: Sequence[Row]


def parts(rows: Sequence[Row]) -> Group:
    """Return the table of what is measured beside one other thing."""
    return Group(PARTS, _PARTS, rows)


def ratio(name: str, unit: str, pairs: Sequence[tuple[float, float]], at_least: float, note: str = "") -> Row:
    """Compare (ours, limit) measured in turns: the ratio is the median of the pairs' ratios."""
    ours, limits = zip(*pairs, strict=True)
    value = median(a / b for a, b in pairs)
    shown = (f"{median(ours):,.0f} {unit}{note}", f"{median(limits):,.0f} {unit}")
    return Row((name, *shown, f"{value:.2f}", f"≥ {at_least:g}"), value >= at_least)


def rate(name: str, unit: str, values: Iterable[float], at_least: float | None) -> Row:
    """Show the median; with `at_least` None nothing is wanted of it."""
    value = median(values)
    if at_least is None:
        return Row((name, f"{value:,.0f} {unit}", "–", "–", "–"), None)
    shown = (f"{value:,.0f} {unit}", "–", f"{value / at_least:.2f}", f"≥ {at_least:,.0f} {unit}")
    return Row((name, *shown), value >= at_least)


def show(group: Group) -> None:
    table = Table(*group.header, "met", title=group.title, title_justify="left")
    for row in group.rows:
        table.add_row(*row.cells, _said(row.met, "NO"))
    Console(width=150).print(table)


def _said(met: bool | None, no: str) -> str:
    return "" if met is None else "yes" if met else no


def keep(groups: Iterable[Group], setting: str) -> None:
    """Write the groups into docs/performance.md, between its marks; rows that were not measured stay as they are."""
    head, rest = PAGE.read_text().split(_START)
    figures, tail = rest.split(_END)
    _, *found = _GROUP.split(figures)
    kept = dict(zip(found[::2], found[1::2], strict=True))
    for group in groups:
        kept[group.title] = _section(group, setting, kept.get(group.title, ""))
    body = "".join(f"### {title}{text}" for title, text in kept.items()).rstrip()
    PAGE.write_text(f"{head}{_START}\n{body}\n{_END}{tail}")


def _section(group: Group, setting: str, before: str) -> str:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [line for line in before.splitlines() if line.startswith("| ")][1:]
    rows = {line.split(" | ")[0]: line for line in lines}
    for row in group.rows:
        line = _line([*row.cells, _said(row.met, "**no**")])
        rows[line.split(" | ")[0]] = line
    text = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}; {setting}.",
        "",
        _line([*group.header, "met"]),
        "|" + "---|" * (len(group.header) + 1),
        *rows.values(),
    ]
    return "\n\n" + "\n".join(text) + "\n\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

"""`make bench`: measure and print tables. `ARGS=NAME …` picks, `ARGS=--keep` writes them into docs/performance.md."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import scenarios
from bench.asof import as_of
from bench.downloading import downloading
from bench.growth import disk, growth
from bench.importing import importing
from bench.mailing import mailing
from bench.pages import scenarios as pages
from bench.patching import patching
from bench.peers.fill import fill
from bench.race import Field, race, table
from bench.report import RACE, Group, Row, keep, parts, show
from bench.sealing import sealing, verifying
from bench.sellers import Seller, sellers
from bench.stock import stock
from bench.syncing import syncing
from bench.todo import todo
from commands.migrate import migrate
from engines.reach import engines_of

PRODUCTS = 200_000
PARTS = (
    *(
        "list",
        "patch",
        "create",
        "sealing",
        "import",
        "todo",
        "mail",
        "sync",
        "download",
        "rebuild",
        "verify",
        "memory",
    ),
    "as-of",
)
PAGES = tuple(scenario.name for scenario in pages(Seller(0, 1000)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", help=f"of {', '.join((*PAGES, *PARTS))}; all without one")
    parser.add_argument("--size", type=int, default=os.environ.get("SIZE") or PRODUCTS, help="products of all sellers")
    parser.add_argument("--keep", action="store_true", help="write the figures into docs/performance.md")
    parser.add_argument("--data", type=Path, help="keep the databases in this folder, and use what a run left there")
    asked = parser.parse_args()
    if unknown := set(asked.names) - {*PAGES, *PARTS}:
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join((*PAGES, *PARTS))}")
    folder = asked.data or Path(tempfile.mkdtemp(prefix="deadwax-bench-"))
    groups = []
    try:
        with engines_of(folder) as environment:
            for group in _measure(environment, folder, asked.names or (*PAGES, *PARTS), asked.size):
                show(group)
                groups.append(group)
    finally:
        if not asked.data:
            shutil.rmtree(folder, ignore_errors=True)
    if asked.keep:
        keep(groups, f"{asked.size:,} products, {scenarios.CONNECTIONS} connections")
    sys.exit(any(row.met is False for group in groups for row in group.rows))


def _measure(environment: dict[str, str], folder: Path, names: Sequence[str], size: int) -> Iterator[Group]:
    everybody = sellers(size)
    asked_pages = [name for name in names if name in PAGES]
    _stock(environment, folder, size)
    if asked_pages:
        yield from _reads(environment, folder, asked_pages, size)
    yield disk(environment["DATABASE_URL"], size)
    yield from _parts(environment, folder, names, everybody)


def _stock(environment: dict[str, str], folder: Path, size: int) -> None:
    """Make the databases of so many products, where the folder does not hold them already."""
    left = folder / "size"
    if left.exists():
        if left.read_text() != str(size):
            raise SystemExit(f"{folder} holds {int(left.read_text()):,} products")
        return
    database_url = environment["DATABASE_URL"]
    migrate(database_url)
    _say(f"stocking {size:,} products …")
    stock(database_url, sellers(size))
    _say("filling the peers' tables …")
    fill(database_url, sellers(size))
    left.write_text(str(size))


def _reads(environment: dict[str, str], folder: Path, names: Sequence[str], size: int) -> Iterator[Group]:
    """Measure the reads of the large seller and of a small one; beyond the usual size also what the growth costs."""
    shown = sellers(size)[:2]
    for seller in shown:
        title = RACE.format(f"{seller.products:,} products of {size:,}")
        _say(title)
        yield table(title, list(race(Field(environment, folder, seller, bound=seller.number == 0), names, _say)))
    if size > PRODUCTS:
        with engines_of(folder / "usual") as usual:
            _stock(usual, folder / "usual", PRODUCTS)
            pairs = list(zip(sellers(PRODUCTS), shown, strict=False))
            yield growth((usual, environment), (PRODUCTS, size), pairs, names, _say)


def _parts(
    environment: dict[str, str], folder: Path, names: Sequence[str], everybody: Sequence[Seller]
) -> Iterator[Group]:
    database_url = environment["DATABASE_URL"]
    # The last one's products may change: nobody compares them with the peers'.
    reader, writer = everybody[0], everybody[-1]
    measures: dict[str, Callable[[], list[Row]]] = {
        "list": lambda: scenarios.listing(environment, reader, folder),
        "patch": lambda: patching(environment, writer),
        "rebuild": lambda: scenarios.rebuilding(database_url, reader),
        "verify": lambda: verifying(environment, folder),
        "memory": lambda: scenarios.memory(environment, reader),
        "create": lambda: scenarios.creating(environment, writer),
        "sealing": lambda: sealing(environment, writer, folder),
        "import": lambda: importing(database_url, folder),
        "todo": lambda: todo(environment, writer),
        "mail": lambda: mailing(environment, writer),
        "sync": lambda: syncing(environment, writer),
        "download": lambda: downloading(environment, reader, writer),
        "as-of": lambda: as_of(database_url),
    }
    rows = []
    for name, measure in measures.items():
        if name in names:
            _say(f"measuring {name} …")
            rows.extend(measure())
    if rows:
        yield parts(rows)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()

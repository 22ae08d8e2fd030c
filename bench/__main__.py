"""`make bench`: measure and print a table. `ARGS=--keep` writes it into docs/performance.md; `ARGS=NAME …` picks."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import scenarios
from bench.importing import importing
from bench.report import Figure, keep, show
from commands.migrate import migrate
from engines.reach import engines_of

PRODUCTS = 100_000
NAMES = ("list", "create", "import", "rebuild", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all without one")
    parser.add_argument("--size", type=int, default=PRODUCTS, help="products of the measured organization")
    parser.add_argument("--keep", action="store_true", help="write the figures into docs/performance.md")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    folder = Path(tempfile.mkdtemp(prefix="deadwax-bench-"))
    try:
        with engines_of(folder) as environment:
            figures = _measure(environment, folder, asked.names or NAMES, asked.size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(figures)
    if asked.keep:
        keep(figures, f"{asked.size:,} products in one organization, {scenarios.CONNECTIONS} connections")
    sys.exit(not all(figure.met for figure in figures))


def _measure(environment: dict[str, str], folder: Path, names: list[str] | tuple[str, ...], size: int) -> list[Figure]:
    database_url = environment["DATABASE_URL"]
    migrate(database_url)
    _say(f"stocking {size:,} products, each revised once …")
    seller = scenarios.seller_with_products(database_url, size)
    measures: dict[str, Callable[[], list[Figure]]] = {
        "list": lambda: scenarios.listing(environment, seller, folder),
        "rebuild": lambda: scenarios.rebuilding(database_url),
        "memory": lambda: scenarios.memory(environment, seller),
        "create": lambda: scenarios.creating(environment, seller),
        "import": lambda: importing(database_url, folder),
    }
    figures: list[Figure] = []
    for name, measure in measures.items():
        if name in names:
            _say(f"measuring {name} …")
            figures.extend(measure())
            show(figures[-1:])
    return figures


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()

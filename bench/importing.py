"""The import of a large file, from its bytes to searchable products."""

import csv
import io
import os
import time
from pathlib import Path

from bench.albums import albums
from bench.report import Row, rate
from bench.sellers import Seller
from bench.stock import open_bus, register
from commands.imports.direct import run
from commands.imports.run import Options, Source

ROUNDS = 3
_SHARED = Path(os.environ.get("DEADWAX_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
_FILE = _SHARED / "albums" / "metal-albums-28069.csv"
_MADE_UP_ROWS = 28_069
_IMPORTERS = 1_000_000
"""Beyond the numbers of those who have products already."""


def importing(database_url: str, folder: Path) -> list[Row]:
    """Import the album list (a made-up one of its size where it is not there) into fresh organizations."""
    path = _FILE if _FILE.exists() else _made_up(folder / "albums.csv")
    rates = []
    for number in range(ROUNDS):
        bus = open_bus(database_url)
        seller = Seller(_IMPORTERS + number, 0)
        register(bus, seller)
        started = time.perf_counter()
        with path.open("rb") as file:
            created = run(Source(file, Options()), bus, seller.context, io.BytesIO()).counts.created
        rates.append(created / (time.perf_counter() - started))
        bus.store.close()
    return [rate(f"import of {path.name} ({created:,} products)", "products/s", rates, 4_000)]


def _made_up(path: Path) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["album_id", "artist", "title", "year", "country"])
        for n, album in enumerate(albums(_IMPORTERS, 0, _MADE_UP_ROWS)):
            writer.writerow([n, album.artist_name, album.values["title"], album.values["year"], "Iceland"])
    return path

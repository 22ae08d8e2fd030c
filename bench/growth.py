"""What a larger database costs: the same reads at two sizes, in turns, with nothing cached, and the disk it takes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import psycopg

from bench import load
from bench.pages import Scenario, scenarios
from bench.peers.fill import url_of_peers
from bench.race import CACHE_OFF, ROUNDS, SECONDS, WARM_SECONDS, p99_ms, rate, times
from bench.report import Group, Row
from bench.sellers import Seller
from bench.servers import Server, api

SLOWER = 2.0


def growth(
    environments: tuple[Mapping[str, str], Mapping[str, str]],
    sizes: tuple[int, int],
    sellers: Sequence[tuple[Seller, Seller]],
    names: Sequence[str],
    say: Callable[[str], None],
) -> Group:
    """Compare the reads of two databases, the smaller one first; each seller is given as it is in the one and in the
    other."""
    rows = []
    with api(environments[0], **CACHE_OFF) as small, api(environments[1], **CACHE_OFF) as large:
        for pair in sellers:
            for asked in zip(*(scenarios(seller) for seller in pair), strict=True):
                if asked[0].name in names:
                    say(f"  {pair[1].name}: {asked[1].name} …")
                    rows.append(_row((small, large), pair, asked))
    header = ("", *(f"of {size:,}" for size in sizes), "times slower", "p99", "wanted")
    return Group(f"Reads of {sizes[0]:,} products grown to {sizes[1]:,}, requests/s, nothing cached", header, rows)


def _row(servers: tuple[Server, Server], sellers: tuple[Seller, Seller], asked: tuple[Scenario, ...]) -> Row:
    runs = [
        partial(load.run, server.port, *scenario.requests(seller))
        for server, seller, scenario in zip(servers, sellers, asked, strict=True)
    ]
    for run in runs:
        run(seconds=WARM_SECONDS)
    small, large = zip(*([run(seconds=SECONDS) for run in runs] for _ in range(ROUNDS)), strict=True)
    slower = times(small, large)
    whose = f"{sellers[1].name}, {sellers[1].products:,} products: {asked[1].title}"
    cells = (whose, f"{rate(small):,.0f}", f"{rate(large):,.0f}", f"{slower:.2f}", f"{p99_ms(large):.0f} ms")
    return Row((*cells, f"≤ {SLOWER:g}"), slower <= SLOWER)


def disk(database_url: str, products: int) -> Group:
    """Say what a product with its items and presences takes on disk, the whole log and all indexes included."""

    def each(url: str, sizes: str) -> float:
        with psycopg.connect(url) as connection:
            row = connection.execute(f"SELECT {sizes}".encode()).fetchone()
        assert row is not None
        return float(row[0]) / products / 1024

    whole = "pg_database_size(current_database())"
    log = " + ".join(f"pg_total_relation_size('{table}')" for table in ("events", "claim", "child"))
    ours, written = each(database_url, whole), each(database_url, log)
    theirs = f"{each(url_of_peers(database_url), whole):.1f} KiB"
    shown = (f"{size:.1f} KiB" for size in (ours, written, ours - written))
    return Group(
        "Disk per product, with 2.5 items and 1.5 presences on average",
        ("", "Deadwax", "of it written: events, claims", "of it read: lists and documents", "the peers' tables"),
        [Row((f"{products:,} products", *shown, theirs), None)],
    )

"""What a larger database costs: the same reads before and after it grew, with nothing cached, and the disk it takes."""

from collections.abc import Callable, Mapping, Sequence

import psycopg

from bench import load
from bench.pages import scenarios
from bench.peers.fill import url_of_peers
from bench.race import CACHE_OFF, ROUNDS, SECONDS, WARM_SECONDS
from bench.report import Group, Row
from bench.sellers import Seller
from bench.servers import api

SLOWER = 2.0
Rates = dict[tuple[str, str], load.Load]


def reads(
    environment: Mapping[str, str], sellers: Sequence[Seller], names: Sequence[str], say: Callable[[str], None]
) -> Rates:
    """Measure each scenario for each of the sellers; keyed by (seller's name, scenario's name)."""
    found: Rates = {}
    with api(environment, **CACHE_OFF) as server:
        for seller in sellers:
            for scenario in scenarios(seller):
                if scenario.name not in names:
                    continue
                say(f"  {seller.name}: {scenario.title} …")
                requests = scenario.requests(seller)
                load.run(server.port, *requests, seconds=WARM_SECONDS)
                runs = [load.run(server.port, *requests, seconds=SECONDS) for _ in range(ROUNDS)]
                found[seller.name, scenario.name] = sorted(runs)[len(runs) // 2]
    return found


def grown(before: Rates, after: Rates, sizes: tuple[int, int]) -> Group:
    """Compare two measurements made at two sizes."""
    header = ("", *(f"at {size:,} products" for size in sizes), "times slower", "p99", "wanted")
    rows = []
    for (seller, scenario), now in after.items():
        then = before[seller, scenario]
        slower = then.per_second / now.per_second
        cells = (f"{seller}: {scenario}", *(f"{run.per_second:,.0f} requests/s" for run in (then, now)))
        rows.append(Row((*cells, f"{slower:.2f}", f"{now.p99_ms:.0f} ms", f"≤ {SLOWER:g}"), slower <= SLOWER))
    return Group(f"From {sizes[0]:,} to {sizes[1]:,} products, nothing cached", header, rows)


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

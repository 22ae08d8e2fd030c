"""Deadwax and the peers in turns: the same questions about the same records, whose answers are compared first."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import psycopg

from bench import load, servers
from bench.limits import bare_statement
from bench.pages import FIRST_PAGE, LIST, WITHIN_MS, Scenario, scenarios
from bench.peers.fill import url_of_peers
from bench.report import Group, Row
from bench.sellers import Seller

ROUNDS = 3
SECONDS, WARM_SECONDS = 2.0, 1.0
CACHE_OFF = {"DEADWAX_PAGE_CACHE_MIB": "0"}
AHEAD_OF_DRF, AHEAD_OF_FASTAPI, OF_CONSTANT = 40, 20, 0.5
"""What the first page is held to: with the cache off, beside the peers; from the cache, beside the constant handler."""
WRITES_A_SECOND = 10
_HEADER = (
    *("", "Deadwax", "p99", "no cache", "p99", f"and {WRITES_A_SECOND} writes/s", "p99"),
    *("DRF", "FastAPI", "times DRF", "times FastAPI"),
    *("constant handler", "pgbench", "wanted"),
)


class Field(NamedTuple):
    """What a race of one seller's products needs. `bound` says whether the peers are to be left behind."""

    environment: Mapping[str, str]
    folder: Path
    seller: Seller
    bound: bool


class Lap(NamedTuple):
    """One scenario, each round in turns: Deadwax as shipped, with the cache off, and with the cache off while writes
    come in, so that it counts anew too; and the peers."""

    shipped: Sequence[load.Load]
    uncached: Sequence[load.Load]
    written: Sequence[load.Load]
    drf: Sequence[load.Load]
    fastapi: Sequence[load.Load]


def rate(runs: Sequence[load.Load]) -> float:
    return median(run.per_second for run in runs)


def p99_ms(runs: Sequence[load.Load]) -> float:
    return median(run.p99_ms for run in runs)


def times(ours: Sequence[load.Load], theirs: Sequence[load.Load]) -> float:
    return median(one.per_second / other.per_second for one, other in zip(ours, theirs, strict=True))


def race(field: Field, names: Sequence[str], say: Callable[[str], None]) -> Iterator[Row]:
    """Measure the scenarios in `names`; give the rows of a table as they are done."""
    asked = [scenario for scenario in scenarios(field.seller) if scenario.name in names]
    peers = url_of_peers(field.environment["DATABASE_URL"])
    with (
        servers.drf(peers) as drf,
        servers.fastapi(peers) as fastapi,
        servers.api(field.environment) as shipped,
        servers.api(field.environment, **CACHE_OFF) as uncached,
    ):
        for scenario in asked:
            say(f"  {scenario.title} …")
            everybody = (shipped, uncached, drf, fastapi)
            same_answers(scenario, field.seller, everybody)
            requests = scenario.requests(field.seller)
            runs = [partial(load.run, server.port, *requests) for server in everybody]
            for run in runs:
                run(seconds=WARM_SECONDS)
            runs.insert(2, partial(_written, field, runs[1]))
            rounds = [[run(seconds=SECONDS) for run in runs] for _ in range(ROUNDS)]
            yield _row(field, scenario, Lap(*zip(*rounds, strict=True)))
    if FIRST_PAGE in asked:
        say("  first page from the cache …")
        yield _hot(field)


def _written(field: Field, run: Callable[..., load.Load], seconds: float) -> load.Load:
    """Measure while the seller's revision moves as it does with writes, of nothing that the peers are asked for."""
    done = Event()

    def move() -> None:
        with psycopg.connect(field.environment["DATABASE_URL"], autocommit=True) as connection:
            while not done.wait(1 / WRITES_A_SECOND):
                connection.execute("SELECT advance_catalogue(%b, 0, 0)", [field.seller.organization])

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(move)
        try:
            return run(seconds=seconds)
        finally:
            done.set()
            moving.result()


def _row(field: Field, scenario: Scenario, lap: Lap) -> Row:
    held = lap.uncached if scenario is FIRST_PAGE else lap.shipped
    ahead = (times(held, lap.drf), times(held, lap.fastapi))
    wanted, met = _wanted(scenario, field.bound, ahead, max(p99_ms(lap.shipped), p99_ms(lap.uncached)))
    limits = ["", ""]
    if scenario.limits:
        body = b"x" * max(run.body_bytes for run in held)
        statement = bare_statement(field.environment, field.seller, scenario)
        limits = [f"{_constant(body, field.folder):,.0f}", f"{statement:,.0f}"]
    own = [cell for runs in lap[:3] for cell in (f"{rate(runs):,.0f}", f"{p99_ms(runs):.0f} ms")]
    theirs = [f"{rate(runs):,.0f}" for runs in lap[3:]]
    return Row((scenario.title, *own, *theirs, *(f"{factor:.0f}" for factor in ahead), *limits, wanted), met)


def _wanted(scenario: Scenario, bound: bool, ahead: tuple[float, float], p99_ms: float) -> tuple[str, bool]:
    """Say what is wanted and whether it is met; `p99_ms` is the longer one, with the cache or without."""
    quick = p99_ms < WITHIN_MS
    if not bound:
        return f"p99 < {WITHIN_MS} ms", quick
    if scenario is FIRST_PAGE:
        met = ahead[0] >= AHEAD_OF_DRF and ahead[1] >= AHEAD_OF_FASTAPI
        return f"no cache: ≥ {AHEAD_OF_DRF} and ≥ {AHEAD_OF_FASTAPI}, p99 < {WITHIN_MS} ms", met and quick
    if scenario.ahead is None:
        return f"p99 < {WITHIN_MS} ms", quick
    return f"≥ {scenario.ahead:g} both, p99 < {WITHIN_MS} ms", quick and min(ahead) >= scenario.ahead


def _constant(body: bytes, folder: Path) -> float:
    with servers.constant(body, folder) as constant:
        load.run(constant.port, load.get("/"), seconds=WARM_SECONDS)
        return median(load.run(constant.port, load.get("/"), seconds=SECONDS).per_second for _ in range(ROUNDS))


def _hot(field: Field) -> Row:
    """Measure the first page as shipped, where each process keeps it, beside the constant handler, in turns."""
    request = load.get(LIST, field.seller.key)
    with servers.api(field.environment) as api:
        body = b"x" * load.run(api.port, request, seconds=WARM_SECONDS).body_bytes
        with servers.constant(body, field.folder) as constant:
            runs = [partial(load.run, api.port, request), partial(load.run, constant.port, load.get("/"))]
            for run in runs:
                run(seconds=WARM_SECONDS)
            ours, limit = zip(*([run(seconds=SECONDS) for run in runs] for _ in range(ROUNDS)), strict=True)
    share = times(ours, limit)
    wanted = f"≥ {OF_CONSTANT} of the constant handler" if field.bound else "–"
    cells = (
        *("first page from the cache, beside the constant handler", f"{rate(ours):,.0f}", f"{p99_ms(ours):.0f} ms"),
        *("",) * 8,
        *(f"{rate(limit):,.0f}, {share:.2f} of it", "", wanted),
    )
    return Row(cells, share >= OF_CONSTANT if field.bound else None)


def same_answers(scenario: Scenario, seller: Seller, everybody: Sequence[servers.Server]) -> None:
    """Raise RuntimeError where one answers anything else than the first: then the race would not be fair."""
    for path in scenario.paths[:: max(1, len(scenario.paths) // 5)]:
        ours, *others = (_answer(server, path, seller) for server in everybody)
        for theirs in others:
            if ours != theirs:
                raise RuntimeError(f"{path} of {seller.name}: {_difference(ours, theirs)}")


def _answer(server: servers.Server, path: str, seller: Seller) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}{path}"
    with urlopen(Request(url, headers={"Authorization": f"Bearer {seller.key}"})) as response:
        answer: dict[str, Any] = json.load(response)
    for link in ("next", "previous"):
        # The order of a link's parameters is each framework's own.
        answer.pop(link, None)
    return answer


def _difference(ours: Any, theirs: Any, at: str = "") -> str:
    """Name the first place where two answers differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and list(ours) == list(theirs):
        places = ((f"{at}.{key}", ours[key], theirs[key]) for key in ours)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        places = ((f"{at}[{n}]", a, b) for n, (a, b) in enumerate(zip(ours, theirs, strict=True)))
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        return f"{at} has {', '.join(ours)} here and {', '.join(theirs)} there"
    else:
        return f"{at} is {str(ours)[:200]!r} here and {str(theirs)[:200]!r} there"
    return next(_difference(a, b, place) for place, a, b in places if a != b)


def table(title: str, rows: Sequence[Row]) -> Group:
    return Group(title, _HEADER, rows)

"""Deadwax and the peers in turns: the same questions about the same records, whose answers are compared first."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from bench import load, servers
from bench.limits import bare_statement
from bench.pages import FIRST_PAGE, LIST, WITHIN_MS, Scenario, scenarios
from bench.peers.fill import url_of_peers
from bench.report import Group, Row
from bench.sellers import Seller

ROUNDS = 3
SECONDS, WARM_SECONDS = 2.5, 1.5
CACHE_OFF = {"DEADWAX_PAGE_CACHE_MIB": "0"}
AHEAD_OF_DRF, AHEAD_OF_FASTAPI, OF_CONSTANT = 40, 20, 0.5
"""What the first page is held to: with the cache off, beside the peers; from the cache, beside the constant handler."""
_HEADER = (
    *("", "Deadwax", "p99", "DRF", "FastAPI", "times DRF", "times FastAPI", "constant handler", "pgbench", "wanted"),
)


class Field(NamedTuple):
    """What a race of one seller's products needs. `bound` says whether the peers are to be left behind."""

    environment: Mapping[str, str]
    folder: Path
    seller: Seller
    bound: bool


class Lap(NamedTuple):
    """One scenario: requests a second of each round, and all that was measured of ours."""

    ours: Sequence[load.Load]
    drf: Sequence[float]
    fastapi: Sequence[float]

    @property
    def p99_ms(self) -> float:
        return median(run.p99_ms for run in self.ours)

    def times(self, others: Sequence[float]) -> float:
        return median(run.per_second / other for run, other in zip(self.ours, others, strict=True))


def race(field: Field, names: Sequence[str], say: Callable[[str], None]) -> Iterator[Row]:
    """Measure the scenarios in `names`; give the rows of a table as they are done."""
    asked = [scenario for scenario in scenarios(field.seller) if scenario.name in names]
    peers = url_of_peers(field.environment["DATABASE_URL"])
    with servers.drf(peers) as drf, servers.fastapi(peers) as fastapi:
        for settings, chosen in (
            (CACHE_OFF, [scenario for scenario in asked if scenario is FIRST_PAGE]),
            ({}, [scenario for scenario in asked if scenario is not FIRST_PAGE]),
        ):
            with servers.api(field.environment, **settings) as api:
                for scenario in chosen:
                    say(f"  {scenario.title} …")
                    same_answers(scenario, field.seller, api, (drf, fastapi))
                    yield _row(field, scenario, _lap(scenario, field.seller, api, drf, fastapi))
    if FIRST_PAGE in asked:
        say("  first page from the cache …")
        yield _hot(field)


def _lap(scenario: Scenario, seller: Seller, *runners: servers.Server) -> Lap:
    requests = scenario.requests(seller)
    runs = [partial(load.run, runner.port, *requests) for runner in runners]
    for run in runs:
        run(seconds=WARM_SECONDS)
    rounds = [[run(seconds=SECONDS) for run in runs] for _ in range(ROUNDS)]
    ours, drf, fastapi = zip(*rounds, strict=True)
    return Lap(ours, [run.per_second for run in drf], [run.per_second for run in fastapi])


def _row(field: Field, scenario: Scenario, lap: Lap) -> Row:
    ahead = (lap.times(lap.drf), lap.times(lap.fastapi))
    wanted, met = _wanted(scenario, field.bound, ahead, lap.p99_ms)
    limits = ["", ""]
    if scenario.limits:
        body = b"x" * max(run.body_bytes for run in lap.ours)
        limits = [
            f"{_constant(body, field.folder):,.0f}",
            f"{bare_statement(field.environment, field.seller, scenario):,.0f}",
        ]
    figures = (median(run.per_second for run in lap.ours), median(lap.drf), median(lap.fastapi))
    ours, drf, fastapi = (f"{figure:,.0f}" for figure in figures)
    title = scenario.title + (", no cache" if scenario is FIRST_PAGE else "")
    cells = (title, ours, f"{lap.p99_ms:.0f} ms", drf, fastapi, *(f"{times:.0f}" for times in ahead), *limits, wanted)
    return Row(cells, met)


def _wanted(scenario: Scenario, bound: bool, ahead: tuple[float, float], p99_ms: float) -> tuple[str, bool]:
    quick = p99_ms < WITHIN_MS
    if not bound:
        return f"p99 < {WITHIN_MS} ms", quick
    if scenario is FIRST_PAGE:
        return f"≥ {AHEAD_OF_DRF} and ≥ {AHEAD_OF_FASTAPI}", ahead[0] >= AHEAD_OF_DRF and ahead[1] >= AHEAD_OF_FASTAPI
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
            load.run(constant.port, load.get("/"), seconds=WARM_SECONDS)
            pairs = [
                (load.run(api.port, request, seconds=SECONDS), load.run(constant.port, load.get("/"), seconds=SECONDS))
                for _ in range(ROUNDS)
            ]
    share = median(ours.per_second / limit.per_second for ours, limit in pairs)
    ours, limit = (median(run.per_second for run in runs) for runs in zip(*pairs, strict=True))
    p99_ms = median(run.p99_ms for run, _ in pairs)
    cells = (
        *("first page, from the cache", f"{ours:,.0f}", f"{p99_ms:.0f} ms", "", "", "", "", f"{limit:,.0f}", ""),
        f"{share:.2f} of the constant handler, ≥ {OF_CONSTANT}"
        if field.bound
        else f"{share:.2f} of the constant handler",
    )
    return Row(cells, share >= OF_CONSTANT if field.bound else None)


def same_answers(scenario: Scenario, seller: Seller, api: servers.Server, peers: Sequence[servers.Server]) -> None:
    """Raise RuntimeError where a peer answers anything else than Deadwax: then the race would not be fair."""
    for path in scenario.paths[:: max(1, len(scenario.paths) // 5)]:
        ours = _answer(api, path, seller)
        for peer in peers:
            theirs = _answer(peer, path, seller)
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

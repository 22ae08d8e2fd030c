import asyncio
import csv
import io
import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
from msgspec.structs import replace

from commands.settings import Settings
from tests.clients import PRODUCTS, Key, create, create_item, create_presence
from tests.server import running

pytestmark = pytest.mark.anyio

EXPORT = f"{PRODUCTS}export/"
CSV = {"Accept": "text/csv"}


async def exported(api: httpx.AsyncClient, query: str = "", **headers: str) -> list[dict[str, Any]]:
    response = await api.get(f"{EXPORT}?{query}", headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert response.text == "" or response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


async def table(api: httpx.AsyncClient, query: str = "") -> list[dict[str, str]]:
    response = await api.get(f"{EXPORT}?{query}", headers=CSV)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"].startswith('attachment; filename="products.csv"')
    lines = response.content.decode()
    assert lines.count("\r\n") == lines.count("\n") - lines.count("line\nbreak")
    return [*csv.DictReader(io.StringIO(lines, newline=""), strict=True)]


async def test_lines_are_the_products_of_the_list_in_its_order(api: httpx.AsyncClient) -> None:
    products = [await create(api, title=f"Album {n}", tags=["even"] if n % 2 == 0 else []) for n in range(230)]
    await create_item(api, products[0])
    await create_presence(api, products[1])
    pages = [(await api.get(f"{PRODUCTS}?page_size=100&page={n}")).json()["results"] for n in (1, 2, 3)]
    assert await exported(api) == [product for page in pages for product in page]
    assert len(await exported(api)) == 230
    wanted = (await api.get(f"{PRODUCTS}?tags=even&ordering=title&page_size=100")).json()["results"]
    assert (await exported(api, "tags=even&ordering=title&page=junk&page_size=1&cursor=junk"))[:100] == wanted
    assert await exported(api, "search=nowhere") == []
    assert [row["uid"] for row in await table(api)] == [product["uid"] for product in await exported(api)]


async def test_a_line_of_the_table_has_the_plain_fields(api: httpx.AsyncClient) -> None:
    fields = {
        "title": 'Abbey "Road", line\nbreak',
        "type": "physical",
        "artist_name": "Björk",
        "year": "1969",
        "formats": ["Vinyl", "LP"],
        "tags": ["a", "b c"],
        "price_override_usd": "29.99",
        "is_mature_content": True,
        "external_id": "249504",
        "enabled_product_types": {"poster": True},
    }
    product = await create(api, **fields)
    await create_item(api, product, price_total_usd="12")
    [line] = await table(api)
    shown = {
        "uid": product["uid"],
        "title": fields["title"],
        "artist": "Björk",
        "music_label": "",
        "formats": "Vinyl, LP",
        "tags": "a, b c",
        "price_override_usd": "29.99",
        "price_computed_usd": "12.00",
        "is_mature_content": "true",
        "default_shop_product": "false",
        "total_inventory_count": "1",
        "external_id": "249504",
        "external_id_title": "",
        "created": product["created"],
    }
    assert {name: line[name] for name in shown} == shown
    assert "enabled_product_types" not in line


@pytest.mark.parametrize("text", ["=1+1", "+44", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
async def test_no_cell_is_a_formula(api: httpx.AsyncClient, text: str) -> None:
    await create(api, title=text, artist_name=text, tags=[text, "b"], license_notes=f"\t{text}")
    [line] = await table(api)
    assert (line["title"], line["artist"], line["tags"]) == (f"'{text}", f"'{text}", f"'{text}, b")
    assert line["license_notes"] == f"'\t{text}"
    [product] = await exported(api)
    assert product["title"] == text


@pytest.mark.parametrize(
    ("query", "accept", "extension"),
    [
        ("", "*/*", "ndjson"),
        ("", "text/csv", "csv"),
        ("", "application/x-ndjson;q=0.5, text/csv; q=0.9", "csv"),
        ("", "text/csv;q=0, application/json", "ndjson"),
        ("", "text/csv;q=many", "ndjson"),
        ("", "application/x-ndjson, text/csv", "ndjson"),
        ("format=ndjson", "text/csv", "ndjson"),
        ("format=csv", "application/x-ndjson", "csv"),
    ],
)
async def test_the_query_goes_before_the_header(
    api: httpx.AsyncClient, query: str, accept: str, extension: str
) -> None:
    response = await api.get(f"{EXPORT}?{query}", headers={"Accept": accept})
    assert f'filename="products.{extension}"' in response.headers["content-disposition"]
    assert response.headers["vary"] == "accept"
    lines = response.text.splitlines()
    assert len(lines) == (1 if extension == "csv" else 0)


async def test_everything_wrong_is_said_at_once(api: httpx.AsyncClient) -> None:
    response = await api.get(f"{EXPORT}?format=xml&type=vinyl&has_inventory=maybe")
    assert response.status_code == 400
    assert response.json() == {
        "format": ['"xml" is not a valid choice.'],
        "type": ['"vinyl" is not a valid choice.'],
        "has_inventory": ["Must be a valid boolean."],
    }


async def test_other_methods_are_refused_and_head_has_no_body(api: httpx.AsyncClient) -> None:
    await create(api)
    for path in (EXPORT, EXPORT[:-1]):
        for method in ("POST", "PATCH", "DELETE"):
            response = await api.request(method, path)
            assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        head = await api.head(path, headers=CSV)
        assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "text/csv; charset=utf-8")


async def test_it_goes_on_while_products_come_and_go(api: httpx.AsyncClient) -> None:
    products = [await create(api, title=f"{n:03}") for n in range(150)]

    async def write() -> None:
        for n in range(20):
            await create(api, title=f"new {n}")
            await api.delete(f"{PRODUCTS}{products[n * 3]['uid']}/")

    found, _ = await asyncio.gather(exported(api, "ordering=title"), write())
    uids = [product["uid"] for product in found]
    assert len(set(uids)) == len(uids)
    assert {product["uid"] for n, product in enumerate(products) if n % 3 or n >= 60} <= set(uids)


FILL = """
WITH one AS (SELECT * FROM product_list LIMIT 1), made AS (
    INSERT INTO product_list (id, organization, revision, type, title_key, created, updated, tags, search)
    SELECT gen_random_uuid(), organization, 1, type, title_key, created - n * interval '1 s', updated, '', ''
    FROM one, generate_series(1, %(more)s::integer) AS n RETURNING id
)
INSERT INTO product_document (id, document)
SELECT made.id, d.document FROM made, one JOIN product_document AS d ON d.id = one.id
"""


class Served:
    """A server process with many products."""

    def __init__(self, port: int, key: Key, log: Path, count: int) -> None:
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key.text}"}, timeout=30
        )
        self.port, self.key, self.log, self.count = port, key, log, count

    @property
    def process(self) -> psutil.Process:
        """Return the one that answers: the port's owner, or a child of it."""
        [owner] = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.port and connection.pid
        ][:1]
        return max([psutil.Process(owner), *psutil.Process(owner).children()], key=lambda p: p.memory_info().rss)

    def open(self, query: str = "") -> socket.socket:
        """Ask for an export and read nothing of it."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        head = f"GET {EXPORT}?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key.text}\r\n\r\n"
        connection.sendall(head.encode())
        return connection


@pytest.fixture
def served(plain_settings: Settings, key: Key, database_url: str, tmp_path: Path) -> Any:
    log, count = tmp_path / "api.log", 20_000
    with running(replace(plain_settings, log_level="info"), log) as port:
        served = Served(port, key, log, count)
        description = "x" * 1000
        served.client.post(PRODUCTS, json={"title": "a", "marketplace_description": description}).raise_for_status()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(FILL, {"more": count - 1})
            connection.execute("UPDATE catalogue SET product_count = %s", [count])
        yield served
        served.client.close()


def test_memory_stays_flat_however_much_is_exported(served: Served) -> None:
    served.client.get(f"{EXPORT}?search=nowhere")
    served.client.get(f"{PRODUCTS}?page_size=100")
    process = served.process
    for format in ("ndjson", "csv"):
        before = most = process.memory_info().rss
        size = lines = 0
        with served.client.stream("GET", f"{EXPORT}?format={format}") as response:
            for chunk in response.iter_bytes():
                size += len(chunk)
                lines += chunk.count(b"\n")
                most = max(most, process.memory_info().rss)
        assert lines == served.count + (format == "csv")
        assert size > served.count * 1000
        assert most - before < 12 * 2**20, (format, (most - before) / 2**20)


def test_a_client_that_reads_nothing_or_goes_away_costs_nothing(served: Served) -> None:
    served.client.get(f"{PRODUCTS}?page_size=100")
    before = served.process.memory_info().rss
    connections = [served.open() for _ in range(6)]
    time.sleep(1)
    # Each waits with a batch in hand; what others read goes on, on as few connections as there are.
    assert served.client.get(PRODUCTS).json()["count"] == served.count
    assert served.process.memory_info().rss - before < 40 * 2**20
    for connection in connections:
        connection.close()
    deadline = time.monotonic() + 10
    while (done := served.log.read_text().count("products/export")) < 6:
        assert time.monotonic() < deadline, done
        time.sleep(0.05)
    assert "broken off" not in served.log.read_text()


def test_a_database_that_dies_midway_breaks_the_answer_off(served: Served, database_url: str) -> None:
    response = served.client.send(served.client.build_request("GET", EXPORT), stream=True)
    chunks = response.iter_bytes()
    assert (response.status_code, len(next(chunks)) > 0) == (200, True)
    with psycopg.connect(database_url, dbname="postgres", autocommit=True) as connection:
        name = urlsplit(database_url).path[1:]
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    with pytest.raises(httpx.RemoteProtocolError):
        for _ in chunks:
            pass
    response.close()
    assert "answer broken off" in served.log.read_text()

"""What is for sale, out as the file that Discogs takes, and back in."""

import asyncio
import csv
import io
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from commands.inventory import CreateItem, ReviseItem
from commands.settings import Settings
from domain import ids
from projections.base import Reader
from projections.discogs_upload import LeftOut, Written, upload_rows
from tests.importing import SHARED, Shop, environment, needs_shared, shop
from tests.test_inventory_import import UPLOAD, children, export, listing, made, stock, stored

TEMPLATE = UPLOAD + "3181739,21.95,Near Mint (NM or M-),Near Mint (NM or M-),Unplayed item from a warehouse.,Draft,86\n"


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


def exported(at: Shop, **asked: Any) -> list[Written | LeftOut]:
    async def read() -> list[Written | LeftOut]:
        async with Reader(at.database_url, size=1) as reader:
            return [row async for row in upload_rows(reader, at.organization, **asked)]

    return asyncio.run(read())


def cells(at: Shop, **asked: Any) -> list[tuple[str, ...]]:
    return [tuple(row.cells) for row in exported(at, **asked) if isinstance(row, Written)]


def deadwax(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "api.cli", "export", "--format", "discogs", *arguments]
    return subprocess.run(command, env=environment(settings), capture_output=True, timeout=60, check=False)


def test_an_upload_file_comes_back_byte_for_byte_and_changes_nothing(at: Shop, settings: Settings) -> None:
    made(at, export([listing(1, 3181739, status="Draft", quantity=0)]))
    assert made(at, TEMPLATE.encode()) == (0, 1, 0)
    done = deadwax(settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout == TEMPLATE.encode()
    assert done.stderr == b"1 item written, 0 left out\n"
    assert made(at, done.stdout) == (0, 0, 0)


@needs_shared
def test_the_real_template_comes_back_byte_for_byte(at: Shop, settings: Settings, tmp_path: Path) -> None:
    template = (SHARED / "inventory/discogs-upload-template-1row.csv").read_bytes()
    made(at, export([listing(1, 3181739, status="Draft", quantity=0)]))
    assert made(at, template) == (0, 1, 0)
    [[name]] = at.rows("SELECT name FROM organization WHERE id = %s")
    done = deadwax(settings, "--organization", name, "--output", str(tmp_path / "out.csv"))
    assert (done.returncode, done.stdout) == (0, b"")
    assert (tmp_path / "out.csv").read_bytes() == template
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_what_is_exported_is_known_again_whatever_became_of_it(at: Shop) -> None:
    made(at, stock(700, 300))
    product = children(at, "product_list")[0]
    values = {"status": "received", "condition_item": "good", "manual_description": 'a,"b"\nc'}
    at.bus.execute(CreateItem(product=product, values={**values, "price_total_usd": Decimal("7.00")}), at.context)
    first = children(at, "inventory_list")[0]
    at.bus.execute(ReviseItem(id=first, values={"condition_comments": "Ünïcode, now", "status": "listed"}), at.context)
    before = stored(at)
    rows = cells(at)
    # Three of four were not sold, and one is new.
    assert len(rows) == 700 * 3 // 4 + 1
    own = ids.uid(ids.INVENTORY, children(at, "inventory_list")[-1])
    assert ("2", "7.00", "Good (G)", "", "", "Draft", own, 'a,"b"\nc') in rows
    file = io.StringIO()
    csv.writer(file).writerows([[*UPLOAD.strip().split(","), "location"], *rows])
    assert made(at, file.getvalue().encode()) == (0, 0, 0)
    assert made(at, file.getvalue().encode()) == (0, 0, 0)
    assert stored(at) == before


def test_what_discogs_would_not_take_is_named_with_the_reason(at: Shop, settings: Settings) -> None:
    made(at, b"title\nNo release\n")
    [product] = children(at, "product_list")
    made(at, export([listing(1), listing(2, media_condition=""), listing(3, price="0"), listing(4, status="Sold")]))
    at.bus.execute(CreateItem(product=product, values={"status": "ready-to-sell"}), at.context)
    at.bus.execute(CreateItem(product=product, values={"status": "draft"}), at.context)
    done = deadwax(settings)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 0
    assert lines[0].endswith("'No release': its product has no Discogs release id")
    assert f" of {ids.uid(ids.PRODUCT, product)} " in lines[0]
    assert lines[1].endswith("'Album 5134861': it has no condition_item, which Discogs requires")
    assert lines[2].endswith("'Album 5134861': it has no price in USD")
    assert lines[3:] == ["1 item written, 3 left out"]
    assert len(done.stdout.splitlines()) == 2


def test_a_price_in_the_sellers_currency_is_that_of_the_copys_own_listing(at: Shop) -> None:
    made(at, export([listing(1, price="21.00"), listing(2, price="30.00")]), currency="EUR")
    assert [row[1] for row in cells(at, currency="EUR")] == ["21.00", "30.00"]
    assert cells(at) == []


def test_what_is_listed_already_can_be_left_out(at: Shop) -> None:
    made(at, export([listing(1), listing(2, status="Expired"), listing(3, status="Draft")]))
    assert len(cells(at)) == 3
    assert [row[6][:4] for row in cells(at, only_unlisted=True)] == ["inv_"]
    [first, second] = [row for row in exported(at, only_unlisted=True) if isinstance(row, LeftOut)]
    assert (first.reason, second.reason) == ("it is listed as 1", "it is listed as 3")


def test_the_shell_says_in_one_line_what_is_wrong(at: Shop, settings: Settings, tmp_path: Path) -> None:
    for arguments, said in (
        (("--organization", "Nobody"), b"There is no organization 'Nobody'. There are: Shop "),
        (("--output", str(tmp_path / "none" / "x.csv")), b"No such file or directory"),
    ):
        refused = deadwax(settings, *arguments)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert said in refused.stderr
        assert refused.stderr.count(b"\n") == 1
    with shop(at.database_url):
        assert b"Whose? Say --organization. There are: Shop " in deadwax(settings).stderr
    assert deadwax(settings, "--currency", "???").returncode == 2


def test_memory_does_not_grow_with_the_shop(at: Shop) -> None:
    async def peak() -> int:
        async with Reader(at.database_url, size=1) as reader:
            tracemalloc.start()
            try:
                async for _ in upload_rows(reader, at.organization):
                    pass
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    made(at, stock(1200, 400))
    first = asyncio.run(peak())
    made(at, stock(2800, 400))
    assert asyncio.run(peak()) < 2 * first

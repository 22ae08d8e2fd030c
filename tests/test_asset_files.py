"""The life of assets' files: announced, had by an asset, sold, free, collected."""

import io
import secrets
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.asset import CreateAsset, DeleteAsset
from commands.asset_blobs import announce, new_key
from commands.blobs import Blobs
from commands.product import CreateProduct, DeleteProduct
from commands.settings import Settings
from domain.errors import Busy, Conflict, NotFound
from domain.event import Step
from tests.importing import Shop, eventually, shop, working
from workers.assets import AssetCollector

LONG_AGO = "UPDATE asset_file SET free_since = free_since - interval '2 days', doomed = doomed - interval '2 days'"


@pytest.fixture
def worker_settings(settings: Settings, s3: Settings) -> Settings:
    return replace(settings, s3_bucket=s3.s3_bucket, log_level="error", log_format="json")


@pytest.fixture
def blobs(worker_settings: Settings) -> Iterator[Blobs]:
    found = Blobs(worker_settings)
    yield found
    found.close()


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


@pytest.fixture
def collector(database_url: str, blobs: Blobs) -> AssetCollector:
    return AssetCollector(database_url, blobs, 3600)


def product(at: Shop) -> UUID:
    id = uuid7()
    at.bus.execute(CreateProduct(id=id, values={"title": "Pack", "type": "digital"}), at.context)
    return id


def announced(at: Shop, blobs: Blobs) -> tuple[UUID, str]:
    """Announce a file and put it into the bucket, as an upload does before its event; return its id and key."""
    id, key, data = uuid7(), new_key(at.organization), secrets.token_bytes(20)
    announce(at.bus.store, id, at.organization, key)
    blobs.put(key, io.BytesIO(data), len(data))
    return id, key


def named(at: Shop, of: UUID, id: UUID, key: str) -> None:
    values = {"filename": "a.zip", "content_type": "application/zip", "size_bytes": 20, "sha256": "ab" * 32}
    at.bus.execute(CreateAsset(id=id, product=of, values={**values, "blob": key}), at.context)


def asset(at: Shop, blobs: Blobs, of: UUID) -> tuple[UUID, str]:
    id, key = announced(at, blobs)
    named(at, of, id, key)
    return id, key


def sell(at: Shop, *assets: UUID) -> UUID:
    """Note that a purchase holds them, as its own write does; return the purchase."""
    purchase = uuid7()
    at.bus.store.save([], steps=[Step("sell_assets(%b, %b)", (purchase, list(assets)))])
    return purchase


def run(at: Shop, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(at.database_url, autocommit=True) as connection:
        found = connection.execute(statement.encode(), values)
        return found.fetchall() if found.description else []


def is_there(blobs: Blobs, key: str) -> bool:
    try:
        return bool(b"".join(blobs.get(key)))
    except NotFound:
        return False


def test_nothing_is_collected_that_an_asset_has_or_that_may_still_become_one(
    at: Shop, blobs: Blobs, collector: AssetCollector
) -> None:
    of = product(at)
    kept, gone, coming, lost = asset(at, blobs, of), asset(at, blobs, of), announced(at, blobs), announced(at, blobs)
    at.bus.execute(DeleteAsset(gone[0], of), at.context)
    assert collector.collect() == 0
    run(at, f"{LONG_AGO} WHERE id = ANY(%s)", [kept[0], gone[0], lost[0]])
    assert collector.collect() == 2
    assert [is_there(blobs, key) for _, key in (kept, gone, coming, lost)] == [True, False, True, False]
    named(at, of, *coming)
    run(at, LONG_AGO)
    collector.collect()
    assert is_there(blobs, coming[1])


def test_a_file_that_still_comes_is_announced_again_and_again(
    at: Shop, blobs: Blobs, collector: AssetCollector
) -> None:
    id, key = announced(at, blobs)
    run(at, LONG_AGO)
    announce(at.bus.store, id, at.organization, key)
    assert collector.collect() == 0
    assert is_there(blobs, key)


def test_a_file_that_was_collected_becomes_no_asset(at: Shop, blobs: Blobs, collector: AssetCollector) -> None:
    of = product(at)
    id, key = announced(at, blobs)
    run(at, LONG_AGO)
    assert collector.collect() == 1
    with pytest.raises(Busy):
        named(at, of, id, key)
    announce(at.bus.store, id, at.organization, key)
    with pytest.raises(Busy):
        named(at, of, id, key)
    assert run(at, "SELECT count(*) FROM asset_list") == [(0,)]


def test_what_was_sold_is_kept_when_its_asset_and_its_product_go(
    at: Shop, blobs: Blobs, collector: AssetCollector
) -> None:
    of = product(at)
    sold, unsold = asset(at, blobs, of), asset(at, blobs, of)
    purchase = sell(at, sold[0])
    sell(at, sold[0])
    at.bus.execute(DeleteProduct(of), at.context)
    run(at, LONG_AGO)
    assert collector.collect() == 1
    assert [is_there(blobs, key) for _, key in (sold, unsold)] == [True, False]
    # It can be sold again, as long as it is there; what was collected cannot.
    sell(at, sold[0])
    for lost in (unsold[0], uuid7()):
        with pytest.raises(Conflict):
            sell(at, sold[0], lost)
    assert run(at, "SELECT asset FROM sold_asset WHERE purchase = %s", purchase) == [(sold[0],)]
    assert run(at, "SELECT count(*) FROM sold_asset") == [(3,)]


def test_a_file_is_sold_or_collected_never_both(at: Shop, blobs: Blobs, collector: AssetCollector) -> None:
    of = product(at)
    files = [asset(at, blobs, of) for _ in range(40)]
    at.bus.execute(DeleteProduct(of), at.context)
    run(at, LONG_AGO)
    sold: list[UUID] = []

    def sell_all() -> None:
        for id, _ in reversed(files):
            try:
                sell(at, id)
            except Conflict:
                continue
            sold.append(id)

    seller = threading.Thread(target=sell_all)
    seller.start()
    collected = collector.collect()
    seller.join()
    collected += collector.collect()
    assert len(sold) + collected == len(files)
    assert {id for id, key in files if is_there(blobs, key)} == set(sold)


def test_the_row_of_a_collected_file_goes_after_it(at: Shop, blobs: Blobs, collector: AssetCollector) -> None:
    id, key = announced(at, blobs)
    run(at, LONG_AGO)
    collector.collect()
    assert run(at, "SELECT id FROM asset_file") == [(id,)]
    # A part that was on its way when the file was collected.
    blobs.put(key, io.BytesIO(b"late"), 4)
    run(at, LONG_AGO)
    collector.collect()
    assert run(at, "SELECT id FROM asset_file") == []
    assert not is_there(blobs, key)


def test_parts_of_an_upload_that_died_are_collected(at: Shop, blobs: Blobs, collector: AssetCollector) -> None:
    id, key = uuid7(), new_key(at.organization)
    announce(at.bus.store, id, at.organization, key)
    multipart = blobs.begin(key)
    blobs.put_part(key, multipart, 1, bytes(6_000_000))
    run(at, LONG_AGO)
    assert collector.collect() == 1
    with pytest.raises(NotFound):
        blobs.parts(key, multipart)


def test_the_workers_collect(at: Shop, blobs: Blobs, worker_settings: Settings) -> None:
    _, key = announced(at, blobs)
    run(at, LONG_AGO)
    with working(worker_settings):
        eventually(lambda: not is_there(blobs, key), 20)

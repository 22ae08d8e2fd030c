"""A backup holds all that is record; restored into nothing it is the same shop, byte for byte."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from msgspec.structs import replace

from commands.backup.backup import backup, check
from commands.backup.database import Tools
from commands.backup.errors import BackupError
from commands.backup.manifest import BLOBS, DUMP, MANIFEST
from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings, declared
from commands.store import Store
from domain.errors import NotFound
from engines.postgres import client_programs
from projections.inline import inline_projections
from projections.rebuild import TABLES
from projections.version import bring_up_to_date
from tests.clients import INVENTORY, PRODUCTS, Key, create, create_item, create_presence, presences_of, serving
from tests.picturing import picture, upload
from tests.sealing import SealedShop
from tests.shop import Shop
from tests.test_migrate import empty_database  # noqa: F401 - a fixture


def deadwax(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    for name, (_, setting) in declared().items():
        value = getattr(settings, name)
        environment[setting.variable] = ",".join(value) if isinstance(value, tuple) else str(value)
    command = [sys.executable, "-m", "api.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def everything(database_url: str) -> dict[str, Any]:
    """Return all rows of all tables, and where the sequences are."""
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
        found: dict[str, Any] = {
            name: sorted(map(str, connection.execute(f"SELECT * FROM {name}".encode()).fetchall()))
            for (name,) in tables
        }
        if "projection" in found:
            # When they were made anew is not what they hold.
            found["projection"] = sorted(connection.execute("SELECT name, version FROM projection").fetchall())
        sequences = "SELECT sequencename::text, last_value FROM pg_sequences ORDER BY 1"
        found["sequences"] = connection.execute(sequences.encode()).fetchall()
    return found


async def fill(client: httpx.AsyncClient) -> list[str]:
    """Make some of everything; return the addresses at which it is shown."""
    addresses = [
        PRODUCTS,
        f"{PRODUCTS}?search=album&ordering=title",
        INVENTORY,
        "/api/v1/imports/",
        "/api/v1/api-keys/",
    ]
    for n in range(4):
        headers = {"Idempotency-Key": f"key-{n}"}
        response = await client.post(PRODUCTS, json={"title": f"Album {n}\t\\.", "year": "1969"}, headers=headers)
        product = response.json()
        item = await create_item(client, product, status="listed", condition_item="vg", price_total_usd="9.99")
        await create_presence(client, product, status="active")
        shown = (await upload(client, product["uid"], picture())).json()
        addresses += [f"{PRODUCTS}{product['uid']}/", f"{INVENTORY}{item['uid']}/", presences_of(product)]
        addresses.append(urlsplit(shown["product_image"]).path)
    gone = await create(client)
    await client.delete(f"{PRODUCTS}{gone['uid']}/")
    csv = b"artist,title\nA,Imported\n"
    response = await client.post("/api/v1/imports/", files={"file": ("shop.csv", csv, "text/csv")})
    assert response.status_code == 202, response.text
    return [*addresses, f"/api/v1/imports/{response.json()['uid']}/"]


async def answers(settings: Settings, key: Key, addresses: list[str]) -> list[tuple[str, int, bytes, str | None]]:
    async with serving(settings, key.text) as client:
        got = [await client.get(address) for address in addresses]
    return [(str(a.url), a.status_code, a.content, a.headers.get("etag")) for a in got]


@pytest.fixture
def shop(plain_settings: Settings, s3: Settings) -> SealedShop:
    return SealedShop(replace(plain_settings, s3_bucket=s3.s3_bucket))


@pytest.mark.anyio
async def test_a_shop_that_was_destroyed_is_restored_row_for_row_and_answers_byte_for_byte(
    shop: SealedShop,
    key: Key,
    tmp_path: Path,
    empty_database: str,  # noqa: F811 - the fixture
) -> None:
    settings = shop.settings
    bring_up_to_date(settings.database_url)
    async with serving(settings, key.text) as client:
        addresses = await fill(client)
    shop.seal()
    before, said = everything(settings.database_url), await answers(settings, key, addresses)
    assert [(url, status) for url, status, _, _ in said if status != 200] == []

    path = tmp_path / "kept" / "backup.tar"
    made = deadwax(settings, "backup", str(path), "--with-blobs", "--json")
    assert made.returncode == 0, made.stderr
    manifest = json.loads(made.stdout)
    assert manifest["tables"]["events"]["rows"] == len(before["events"])
    assert not set(TABLES) & set(manifest["tables"])
    assert path.stat().st_mode & 0o777 == 0o600
    read = deadwax(settings, "backup", "verify", str(path))
    assert f"{len(before['events'])} events up to position {manifest['position']}" in read.stdout, read.stderr

    blobs = Blobs(settings)
    there = dict(blobs.listed())
    for blob in there:
        blobs.delete(blob)
    settings = shop.settings = replace(settings, database_url=empty_database)
    restored = deadwax(settings, "restore", str(path))
    assert restored.returncode == 0, restored.stderr
    assert f"{manifest['position']}, {len(there)} files" in restored.stdout
    assert dict(blobs.listed()) == there
    blobs.close()

    assert everything(empty_database) == before
    assert await answers(settings, key, addresses) == said
    assert shop.verify().faults == []
    async with serving(settings, key.text) as client:
        await create_item(client, (await client.get(addresses[5])).json())
        again = await client.post(
            PRODUCTS, json={"title": "Album 0\t\\.", "year": "1969"}, headers={"Idempotency-Key": "key-0"}
        )
        assert again.json()["uid"] in addresses[5]
    shop.seal()
    assert (shop.verify().faults, shop.verify().unsealed) == ([], 0)

    over = deadwax(settings, "restore", str(path))
    assert (over.returncode, "into an empty one" in over.stderr) == (1, True)


@pytest.fixture
def made(shop: SealedShop, tmp_path: Path) -> Path:
    """A backup in a folder, of a few products and one file."""
    store = Store(shop.settings.database_url, inline_projections(), pool_size=1)
    seller = Shop(Bus(store))
    for n in range(5):
        seller.product(title=f"Album {n}", type="physical")
    store.close()
    shop.seal()
    path = tmp_path / "backup"
    write(shop, path)
    return path


def write(shop: SealedShop, path: Path, with_blobs: bool = True) -> None:
    blobs = Blobs(shop.settings)
    try:
        backup(
            path,
            shop.settings.database_url,
            blobs,
            rebuilt=TABLES,
            programs=client_programs(),
            with_blobs=with_blobs,
        )
    finally:
        blobs.close()


def problems(path: Path) -> list[str]:
    return check(path, client_programs())[1]


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_backup_is_read_whole_and_every_damage_is_told(made: Path) -> None:
    assert problems(made) == []
    [blob] = (made / "blobs").iterdir()
    for name, expected in (
        (DUMP, "database.dump is not what was written"),
        (BLOBS, "blobs.jsonl is not what was written"),
        (f"blobs/{blob.name}", "is not what was written"),
    ):
        kept = (made / name).read_bytes()
        flip(made / name, len(kept) // 2)
        [said] = problems(made)
        assert expected in said
        (made / name).write_bytes(kept)
    blob.unlink()
    [said] = problems(made)
    assert "the file seals/" in said
    (made / MANIFEST).write_text("{}")
    with pytest.raises(BackupError, match=r"manifest\.json cannot be read"):
        problems(made)


def test_a_backup_whose_rows_are_others_than_it_says_is_damaged(made: Path, shop: SealedShop) -> None:
    manifest = json.loads((made / MANIFEST).read_text())
    manifest["tables"]["events"]["rows"] += 1
    (made / MANIFEST).write_text(json.dumps(manifest))
    [said] = problems(made)
    assert "events has 5 rows instead of 6" in said
    done = deadwax(shop.settings, "backup", "verify", str(made))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"deadwax: {made} is damaged: events has 5 rows")


def test_a_damaged_backup_is_not_restored(
    made: Path,
    shop: SealedShop,
    empty_database: str,  # noqa: F811 - the fixture
) -> None:
    flip(made / DUMP, 3000)
    done = deadwax(replace(shop.settings, database_url=empty_database), "restore", str(made))
    assert (done.returncode, "The backup is damaged" in done.stderr) == (1, True)
    assert everything(empty_database) == {"sequences": []}


def test_without_the_files_a_backup_names_them_with_their_hashes(shop: SealedShop, made: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.tar"
    write(shop, path, with_blobs=False)
    with tarfile.open(path) as tar:
        assert sorted(tar.getnames()) == [BLOBS, DUMP, MANIFEST]
        lines = tar.extractfile(BLOBS)
        assert lines is not None
        [blob] = map(json.loads, lines)
    assert blob["key"] == f"seals/{shop.key.name}/000000001.json"
    assert (made / "blobs" / blob["sha256"]).stat().st_size == blob["size_bytes"]


def test_a_backup_never_takes_the_place_of_another_and_leaves_nothing_where_it_fails(
    shop: SealedShop, made: Path
) -> None:
    with pytest.raises(BackupError, match="is there already"):
        write(shop, made)
    shop.settings = replace(shop.settings, s3_endpoint_url="http://127.0.0.1:1")
    with pytest.raises(Exception, match="file store cannot be reached"):
        write(shop, made.with_name("another.tar"))
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_what_is_written_meanwhile_is_in_it_whole_or_not_at_all(shop: SealedShop, tmp_path: Path) -> None:

    stop = threading.Event()

    def sell() -> None:
        store = Store(shop.settings.database_url, inline_projections(), pool_size=1)
        seller = Shop(Bus(store))
        while not stop.is_set():
            seller.item(seller.product(title="Album", type="physical"), status="received")
        store.close()

    seller = threading.Thread(target=sell)
    seller.start()
    try:
        # It compares what was dumped with what was read in the same moment.
        write(shop, tmp_path / "busy.tar")
    finally:
        stop.set()
        seller.join()
    assert problems(tmp_path / "busy.tar") == []


def test_an_older_pg_dump_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.2'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(BackupError, match=rf"pg_dump of PostgreSQL 99 or later is needed in PATH: {program} is 14"):
        Tools(990_000, None)
    with pytest.raises(BackupError, match="is 14"):
        Tools(160_000, tmp_path)


def test_what_is_no_backup_is_said_in_a_line(shop: SealedShop, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a backup")
    for path in (tmp_path / "text", tmp_path / "none", tmp_path):
        for command in (("backup", "verify"), ("restore",)):
            done = deadwax(shop.settings, *command, str(path))
            assert done.returncode == 1
            assert done.stderr.startswith("deadwax: ")
            assert "Traceback" not in done.stderr
    assert shutil.which("pg_dump") is not None or client_programs() is not None


def test_no_password_is_on_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from commands.backup.database import _environ, _target

    url = "postgresql://owner:s3cret@db.example.com:5433/deadwax?sslmode=require"
    assert "s3cret" not in str(_target(url))
    assert "host=db.example.com" in _target(url)[0]
    assert _environ(url)["PGPASSWORD"] == "s3cret"


def test_files_that_went_while_they_were_listed_are_left_out(s3: Settings) -> None:

    blobs = Blobs(s3)
    for key in ("a", "b/c", "d"):
        blobs.put(key, io.BytesIO(b"x"), 1, "image/webp")
    listed = blobs.listed()
    assert next(listed) == ("a", "image/webp")
    blobs.delete("b/c")
    assert list(listed) == [("d", "image/webp")]
    with pytest.raises(NotFound):
        blobs.get("b/c")
    none = Blobs(replace(s3, s3_bucket="there-is-none-of-this-name"))
    assert list(none.listed()) == []
    blobs.close()
    none.close()

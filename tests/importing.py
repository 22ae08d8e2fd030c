"""Imports as their users meet them: files of any make, a shop to bring them to, workers that can be killed."""

import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
import pytest
from uuid_utils.compat import uuid7

from commands.blobs import Blobs
from commands.bus import Bus
from commands.imports.arrivals import ImportRow
from commands.imports.bring_in import bring_in
from commands.imports.direct import Summary, run
from commands.imports.job import RequestImport
from commands.imports.run import Options, Source
from commands.organization import CreateOrganization
from commands.save import Saved
from commands.settings import Settings, declared
from commands.store import Store
from commands.work import Context
from projections.documents import fill
from projections.inline import inline_projections

SHARED = Path(os.environ.get("DEADWAX_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real files are not at {SHARED}")


class Shop(NamedTuple):
    """An organization with a way to write to it."""

    database_url: str
    bus: Bus
    context: Context

    @property
    def organization(self) -> UUID:
        return self.context.organization

    def bring(self, data: bytes, dry_run: bool = False, **options: Any) -> tuple[Summary, str]:
        """Import a file; return what became of it and the CSV of refused rows."""
        rejects = io.BytesIO()
        source = Source(io.BytesIO(data), Options(**options))
        summary = run(source, self.bus, self.context, rejects, dry_run=dry_run)
        return summary, rejects.getvalue().decode("utf-8-sig")

    def products(self) -> list[dict[str, Any]]:
        """Return the product objects in the order they were made."""
        rows = self.rows(
            "SELECT document FROM product_list JOIN product_document USING (id)"
            " WHERE organization = %s ORDER BY created, id"
        )
        return [msgspec.json.decode(fill(row[0], "")) for row in rows]

    def product_count(self) -> int:
        [[count]] = self.rows("SELECT count(*) FROM product_list WHERE organization = %s")
        return int(count)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement.encode(), [self.organization]).fetchall()


def brought(bus: Bus, context: Context, rows: Sequence[ImportRow]) -> Saved:
    """Save what a batch of rows comes to."""
    save = bring_in(rows, bus.work(context)).save
    [saved] = bus.store.write(bus.store.prepare([save]))
    return saved


@contextmanager
def shop(database_url: str) -> Iterator[Shop]:
    store = Store(database_url, inline_projections(), pool_size=3)
    try:
        bus, organization = Bus(store), uuid7()
        context = Context(organization, "system", "test")
        bus.execute(CreateOrganization(organization, f"Shop {organization}"), context)
        yield Shop(database_url, bus, context)
    finally:
        store.close()


def album_list(rows: int) -> bytes:
    """Make a list like a real one: artists in runs, several alphabets, every row another album."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["album_id", "artist", "title", "year", "country"])
    for n in range(rows):
        artist = ("Motörhead", "人間椅子", "Ария", "(EchO)", "100 Suns")[n // 7 % 5]
        writer.writerow([n, f"{artist} {n // 35}", f"=ver.{n}|Vol. {n % 9}", 1960 + n % 60, "Iceland"])
    return file.getvalue().encode()


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make a process of ours run with these settings."""
    values = {declared()[name][1].variable: getattr(settings, name) for name in settings.__struct_fields__}
    texts = {name: ",".join(v) if isinstance(v, tuple) else str(v) for name, v in values.items() if v != ""}
    return {**os.environ, **texts}


@contextmanager
def working(settings: Settings, processes: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """Run the workers; what is left of them is killed at the end."""
    environ = {**environment(settings), "DEADWAX_WORKER_PROCESSES": str(processes)}
    process = subprocess.Popen([sys.executable, "-m", "workers.main"], env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def hand_in(at: Shop, settings: Settings, data: bytes, *, dry_run: bool = False, type: str = "physical") -> UUID:
    """Request an import as the API does; return its id."""
    id = uuid7()
    blob = f"{at.organization}/imports/{id}/source.csv"
    blobs = Blobs(settings)
    blobs.put(blob, io.BytesIO(data), len(data))
    blobs.close()
    command = RequestImport(
        id=id, filename="list.csv", blob=blob, size_bytes=len(data), sha256="", type=type, dry_run=dry_run
    )
    at.bus.execute(command, at.context)
    return id


def status(at: Shop, id: UUID) -> dict[str, Any]:
    """Return the import object as the API would show it."""
    with psycopg.connect(at.database_url) as connection:
        [text] = connection.execute("SELECT document FROM import_list WHERE id = %s", [id]).fetchone() or ("{}",)
    found: dict[str, Any] = msgspec.json.decode(text.replace("\x03", ""))
    return found


def eventually(done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def numbers(found: dict[str, Any]) -> Sequence[int]:
    """Return total, done, created, unchanged, duplicate, rejected."""
    names = ("total", "done", "created", "unchanged", "duplicate", "rejected")
    return [found[f"rows_{name}"] for name in names]

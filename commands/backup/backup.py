"""Backup and restore: what is record, of one moment, and read back before it counts as made."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from commands.backup.archive import Archive, digest, opened, pack
from commands.backup.database import Tools, source
from commands.backup.errors import BackupError
from commands.backup.manifest import BLOBS, DUMP, MANIFEST, Blob, Manifest, Table, read_blobs, read_manifest
from commands.blobs import Blobs
from domain.errors import NotFound

Told = Callable[[str], None]


def backup(
    path: Path,
    database_url: str,
    blobs: Blobs,
    *,
    rebuilt: Sequence[str],
    programs: Path | None,
    with_blobs: bool = False,
    told: Told = lambda _: None,
) -> Manifest:
    """Write a backup to the folder `path`, or to a file where that ends in .tar; it is there once it was read back.

    The rows of the `rebuilt` tables are left out. `programs` is where the embedded server has pg_dump. `told` is told
    what is being done. Raises BackupError, Unavailable.
    """
    if path.exists():
        raise BackupError(f"{path} is there already.")
    with _beside(path) as folder:
        with source(database_url) as database:
            tools = Tools(database.server_version, programs)
            told("Reading the tables")
            tables = database.tables(without=rebuilt)
            told("Dumping the database")
            tools.dump(database_url, database.snapshot(), folder / DUMP, rebuilt)
            # After that moment: what an event of it names was in the file store before the event.
            told("Reading the files")
            count, size_bytes = _write_blobs(folder, blobs, with_blobs=with_blobs)
            manifest = Manifest(
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                server_version=database.server_version,
                migration=database.migration(),
                position=database.position(),
                tables=tables,
                rebuilt=list(rebuilt),
                dump_sha256=_digest(folder / DUMP),
                blobs=count,
                blob_bytes=size_bytes,
                blobs_sha256=_digest(folder / BLOBS),
                with_blobs=with_blobs,
            )
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        told("Reading it back")
        made = folder
        if path.suffix == ".tar":
            made = folder.with_name(f"{folder.name}.tar")
            pack(folder, made)
        try:
            if problems := check(made, programs)[1]:
                raise BackupError(f"What was written is not what was read: {'; '.join(problems)}")
            made.rename(path)
        finally:
            if made is not folder:
                made.unlink(missing_ok=True)
    return manifest


def check(path: Path, programs: Path | None) -> tuple[Manifest, list[str]]:
    """Read all of a backup; return what it says that it holds, and what of that is not so. Raises BackupError."""
    with opened(path) as archive:
        manifest = _manifest_of(archive)
        return manifest, list(_problems(archive, manifest, Tools(manifest.server_version, programs)))


def restore(
    path: Path,
    database_url: str,
    blobs: Blobs,
    *,
    finish: Callable[[], None],
    programs: Path | None,
    told: Told = lambda _: None,
) -> Manifest:
    """Restore a backup into an empty database, and its files, where it has them, into the file store.

    `finish` brings the database to the newest form and makes the tables again that were left out. Raises BackupError,
    with nothing changed in the database, where the backup is damaged or the database is not empty; Unavailable.
    """
    with opened(path) as archive:
        manifest = _manifest_of(archive)
        with source(database_url) as database:
            tools = Tools(max(database.server_version, manifest.server_version), programs)
            if not database.is_empty():
                raise BackupError("The database has tables already: a backup is restored into an empty one.")
        told("Reading the backup")
        if problems := list(_problems(archive, manifest, tools)):
            raise BackupError(f"The backup is damaged: {'; '.join(problems)}")
        if manifest.with_blobs:
            told("Restoring the files")
            for blob in _blobs_of(archive):
                with archive.open(blob.member) as file:
                    blobs.put(blob.key, file, blob.size_bytes, blob.content_type)
        told("Restoring the database")
        with archive.open(DUMP) as dump:
            tools.restore(database_url, dump)
    with source(database_url) as database:
        restored = database.tables(without=manifest.rebuilt)
    if differs := list(_differing(manifest, restored)):
        raise BackupError(f"Restored, but not as it was dumped: {', '.join(differs)}")
    told("Making the other tables again from the log")
    finish()
    return manifest


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a folder of our own beside `path`, which goes when it was not moved there."""
    above = path.absolute().parent
    try:
        above.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=above, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror}") from error


def _write_blobs(folder: Path, blobs: Blobs, *, with_blobs: bool) -> tuple[int, int]:
    """Write a line for each file of the file store, and its content too; return how many there are, and their bytes."""
    count = size_bytes = 0
    if with_blobs:
        (folder / "blobs").mkdir()
    with (folder / BLOBS).open("wb") as lines:
        for key, content_type in blobs.listed():
            found, size = hashlib.sha256(), 0
            fresh = folder / "blob.new"
            try:
                with fresh.open("wb") as file:
                    for chunk in blobs.get(key):
                        found.update(chunk)
                        size += len(chunk)
                        if with_blobs:
                            file.write(chunk)
            except NotFound:
                continue  # collected meanwhile: nothing names it
            blob = Blob(key, size, content_type, found.hexdigest())
            if with_blobs:
                fresh.replace(folder / blob.member)
            lines.write(msgspec.json.encode(blob) + b"\n")
            count, size_bytes = count + 1, size_bytes + size
    (folder / "blob.new").unlink(missing_ok=True)
    return count, size_bytes


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return digest(file)[0]


def _manifest_of(archive: Archive) -> Manifest:
    with archive.open(MANIFEST) as file:
        return read_manifest(file.read())


def _blobs_of(archive: Archive) -> Iterator[Blob]:
    with archive.open(BLOBS) as file:
        yield from read_blobs(file)


def _problems(archive: Archive, manifest: Manifest, tools: Tools) -> Iterator[str]:
    """Read everything; yield what is not as the manifest says."""
    for name, expected in ((DUMP, manifest.dump_sha256), (BLOBS, manifest.blobs_sha256)):
        with archive.open(name) as file:
            if digest(file)[0] != expected:
                yield f"{name} is not what was written"
                return
    with archive.open(DUMP) as dump:
        yield from _differing(manifest, tools.tables(dump))
    count = 0
    for blob in _blobs_of(archive):
        count += 1
        if manifest.with_blobs:
            try:
                with archive.open(blob.member) as file:
                    is_whole = digest(file) == (blob.sha256, blob.size_bytes)
            except BackupError:
                is_whole = False
            if not is_whole:
                yield f"the file {blob.key} is not what was written"
    if count != manifest.blobs:
        yield f"{BLOBS} has {count} lines instead of {manifest.blobs}"


def _differing(manifest: Manifest, tables: Mapping[str, Table]) -> Iterator[str]:
    for name, expected in manifest.tables.items():
        found = tables.get(name)
        if found != expected:
            rows = "no such table" if found is None else f"{found.rows:,} rows"
            yield f"{name} has {rows} instead of {expected.rows:,}, or other ones"

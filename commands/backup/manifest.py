"""What a backup says it holds."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from commands.backup.errors import BackupError

FORMAT = "deadwax backup 1"
MANIFEST, DUMP, BLOBS = "manifest.json", "database.dump", "blobs.jsonl"
"""The files of a backup. Those of the file store stand in the folder `blobs`, each under the SHA-256 of its content."""


class Table(Struct, frozen=True):
    """`sha256` is that of the rows as COPY writes them, in the order in which they are dumped."""

    rows: int
    sha256: str


class Blob(Struct, frozen=True):
    """One file of the file store: a line of `blobs.jsonl`."""

    key: str
    size_bytes: int
    content_type: str
    sha256: str

    @property
    def member(self) -> str:
        return f"blobs/{self.sha256}"


class Manifest(Struct, frozen=True, kw_only=True):
    """`position` is the log's last one; `rebuilt` are the tables that are not dumped but made again from it."""

    format: str = FORMAT
    created: str
    server_version: int
    migration: str
    position: int
    tables: dict[str, Table]
    rebuilt: list[str]
    dump_sha256: str
    blobs: int
    blob_bytes: int
    blobs_sha256: str
    with_blobs: bool


def read_manifest(content: bytes) -> Manifest:
    """Raises BackupError."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{MANIFEST} cannot be read: {error}") from None
    if manifest.format != FORMAT:
        raise BackupError(f"{MANIFEST} is of another format: {manifest.format[:80]}")
    return manifest


def read_blobs(lines: Iterable[bytes]) -> Iterator[Blob]:
    """Raises BackupError."""
    decode = msgspec.json.Decoder(Blob).decode
    for number, line in enumerate(lines, 1):
        try:
            yield decode(line)
        except msgspec.MsgspecError as error:
            raise BackupError(f"{BLOBS}, line {number}: {error}") from None

"""A backup's files: a folder, or a .tar of one."""

import hashlib
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from commands.backup.errors import BackupError
from commands.backup.manifest import MANIFEST

CHUNK_BYTES = 1 << 20


class Archive(Protocol):
    def open(self, name: str) -> BinaryIO:
        """Raises BackupError where there is no such file."""
        ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, name: str) -> BinaryIO:
        try:
            return (self._path / name).open("rb")
        except OSError as error:
            raise BackupError(f"{name} cannot be read: {error.strerror}") from None


class _Tar:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def open(self, name: str) -> BinaryIO:
        try:
            found = self._tar.extractfile(name)
        except (KeyError, tarfile.TarError, OSError):
            found = None
        if found is None:
            raise BackupError(f"{name} cannot be read: it is not in the file")
        return found  # type: ignore[return-value] # it has all of the methods


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Raises BackupError where there is no backup."""
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        with tarfile.open(path, "r:") as tar:
            yield _Tar(tar)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{path} is not a backup: {error}") from None


def pack(folder: Path, path: Path) -> None:
    """Write the folder's files into a .tar, the manifest first."""
    path.touch(mode=0o600)  # it holds what is known of persons
    with tarfile.open(path, "w") as tar:
        tar.add(folder / MANIFEST, MANIFEST)
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.name != MANIFEST:
                tar.add(file, str(file.relative_to(folder)))


def digest(file: BinaryIO) -> tuple[str, int]:
    """Return the SHA-256 and the size of what is left in the file. Raises BackupError where it cannot be read."""
    found, size = hashlib.sha256(), 0
    try:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
            size += len(chunk)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{getattr(file, 'name', 'a file')} cannot be read: {error}") from None
    return found.hexdigest(), size

"""Where seals are kept outside of the database: who can change that can still not change this."""

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Protocol

from commands.blobs import Blobs
from commands.seals.seal import Seal, UnreadableSeal, read_anchored
from commands.settings import Settings, SettingsError
from domain.errors import NotFound

FOLDER = "seals"


class Anchor(Protocol):
    """Keeps the seals of one key by their numbers. Raises Unavailable or SettingsError where it cannot be reached."""

    name: str

    def keep(self, number: int, seal: Seal) -> None: ...

    def find(self, number: int) -> Seal | None:
        """Return the seal; None where it is not there. One that cannot be read has an empty statement."""
        ...


class S3Anchor:
    """One object a seal."""

    name = "s3"

    def __init__(self, blobs: Blobs, key: str) -> None:
        self._blobs = blobs
        self._key = key

    def keep(self, number: int, seal: Seal) -> None:
        content = seal.anchored()
        self._blobs.put(self._path(number), BytesIO(content), len(content), "application/json")

    def find(self, number: int) -> Seal | None:
        try:
            return _read(b"".join(self._blobs.get(self._path(number))))
        except NotFound:
            return None

    def _path(self, number: int) -> str:
        return f"{FOLDER}/{self._key}/{number:09d}.json"


class FileAnchor:
    """One line a seal, of any keys; only added to."""

    name = "file"

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key
        self._lines: dict[int, int] = {}
        self._read_bytes = 0

    def keep(self, number: int, seal: Seal) -> None:
        with _usable(self._path), self._path.open("ab+") as file:
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")  # what was cut off while it was written ends here
            file.write(f"{self._key} {number} ".encode() + seal.anchored() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def find(self, number: int) -> Seal | None:
        with _usable(self._path):
            if not self._path.exists():
                return None
            with self._path.open("rb") as file:
                self._index(file.seek, file)
                if number not in self._lines:
                    return None
                file.seek(self._lines[number])
                return _read(file.readline().split(b" ", 2)[-1])

    def _index(self, seek: Callable[[int], int], lines: Iterator[bytes]) -> None:
        """Note where the lines begin that were added since."""
        start = seek(self._read_bytes)
        for line in lines:
            if not line.endswith(b"\n"):
                break  # cut off while it was written, or being written
            key, _, rest = line.partition(b" ")
            number = rest.partition(b" ")[0]
            if key == self._key.encode() and number.isdigit():
                self._lines[int(number)] = start
            start += len(line)
        self._read_bytes = start


class _usable:  # noqa: N801 - reads as a verb
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            raise SettingsError(f"DEADWAX_SEAL_ANCHOR_FILE: cannot use {self._path}: {error.strerror}") from None


def anchors(settings: Settings, blobs: Blobs | None, key: str) -> list[Anchor]:
    """Return the places that the settings name."""
    found: list[Anchor] = [S3Anchor(blobs, key)] if blobs is not None else []
    if settings.seal_anchor_file:
        found.append(FileAnchor(Path(settings.seal_anchor_file).expanduser(), key))
    return found


def newest(anchor: Anchor, start: int) -> int:
    """Return the highest number that the place has, 0 without any; numbers have no gaps. Looked for from `start`."""
    low, step = (start if start and anchor.find(start) else 0), 1
    while anchor.find(low + step):
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if anchor.find(middle) else (low, middle)
    return low


def _read(content: bytes) -> Seal:
    try:
        return read_anchored(content)
    except UnreadableSeal:
        return Seal("", b"", b"")

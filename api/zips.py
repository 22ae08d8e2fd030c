"""Several files as one zip, made while it is sent: stored as they are, of a size that is known before."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from zipstream import ZIP_STORED, ZipStream


class Packed(NamedTuple):
    """A file of a zip: `read` opens it, when its turn comes. `name` is unique in the zip."""

    name: str
    size_bytes: int
    read: Callable[[], Iterator[bytes]]


class Zip:
    """`chunks` can be gone through once. Of what was sent of it `parts` tells how much is of each file."""

    def __init__(self, files: Sequence[Packed]) -> None:
        self._files = files
        self._starts: list[int] = []
        self._made_bytes = 0
        self._zip = ZipStream(compress_type=ZIP_STORED, sized=True)
        for file in files:
            self._zip.add(self._content(file), file.name, size=file.size_bytes)
        self.size_bytes = len(self._zip)

    def chunks(self) -> Generator[bytes, None, None]:
        for chunk in self._zip:
            self._made_bytes += len(chunk)
            yield chunk

    def parts(self, sent_bytes: int) -> list[int]:
        """Return how many bytes of each file are in the first so many of the zip; files of which none is are left out
        at the end."""
        pairs = zip(self._starts, self._files, strict=False)
        return [min(max(sent_bytes - start, 0), file.size_bytes) for start, file in pairs]

    def _content(self, file: Packed) -> Iterator[bytes]:
        # Its header has been made by now.
        self._starts.append(self._made_bytes)
        yield from file.read()


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names, each once, whatever the case of its letters: "a.txt" and "A (2).txt"."""
    taken: set[str] = set()
    made = []
    for name in names:
        path, number, unique = PurePath(name), 1, name
        while unique.casefold() in taken:
            number += 1
            unique = f"{path.stem} ({number}){path.suffix}"
        taken.add(unique.casefold())
        made.append(unique)
    return made

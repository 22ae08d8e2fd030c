"""Mails as files in the data folder, for where no mail server is set up."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_FOLDER, _ENDING = "mail", ".eml"


class Kept(NamedTuple):
    """A mail that is a file; its name begins with the uid of the purchase that it tells of."""

    name: str
    at: datetime
    path: Path


class Outbox:
    """The folder `mail` in the data folder. The same mail again takes the place of the first."""

    def __init__(self, data: Path) -> None:
        self._folder = data.absolute() / _FOLDER

    def keep(self, name: str, mail: bytes) -> Path:
        """Write the mail whole, for its owner alone to read. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{name}{_ENDING}"
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(mail)
        fresh.replace(path)
        return path

    def kept(self) -> list[Kept]:
        """Return what there is, newest first."""
        found = [Kept(path.stem, _written(path), path) for path in self._files("*")]
        return sorted(found, key=lambda mail: (mail.at, mail.name), reverse=True)

    def forget(self, purchase: str) -> int:
        """Delete the mails about a purchase, by its uid; return how many there were."""
        found = list(self._files(f"{purchase}.*"))
        for path in found:
            path.unlink(missing_ok=True)
        return len(found)

    def _files(self, pattern: str) -> Iterator[Path]:
        return self._folder.glob(f"{pattern}{_ENDING}")


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)

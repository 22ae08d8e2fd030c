"""The rows that were refused, as a CSV to repair and import again."""

import csv
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import BinaryIO, TextIO

from commands.imports.rows import Refused

OWN_COLUMNS = ("line", "reason")


def as_text(file: BinaryIO) -> TextIO:
    """Return the file to write to: marked, for Excel; bytes that were no text in a UTF-8 file stay what they were."""
    return TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="", write_through=True)


class RejectsWriter:
    """`line` and `reason` stand before the file's own columns, so that a row with too many keeps them all."""

    def __init__(self, file: TextIO, header: Sequence[str], delimiter: str = ",") -> None:
        self._writer = csv.writer(file, delimiter=delimiter)
        # A file that was repaired and has new faults brings the columns of last time.
        self._own = len(OWN_COLUMNS) if tuple(header[: len(OWN_COLUMNS)]) == OWN_COLUMNS else 0
        self._writer.writerow([*OWN_COLUMNS, *header[self._own :]])

    def write(self, refused: Iterable[Refused]) -> None:
        self._writer.writerows([row.line, row.reason, *row.cells[self._own :]] for row in refused)

"""The rows that were refused, as a CSV to repair and import again."""

import csv
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from commands.imports.reader import Unowned
from commands.imports.rows import Refused

OWN_COLUMNS = ("line", "reason")


class RejectsWriter:
    """`line` and `reason` stand before the file's own columns, so that a row with too many keeps them all.

    The file is marked as UTF-8, for Excel; bytes that were no text in a UTF-8 file are written as what they were.
    """

    def __init__(self, file: BinaryIO, header: Sequence[str]) -> None:
        text = Unowned(file, encoding="utf-8-sig", errors="surrogateescape", newline="", write_through=True)
        self._writer = csv.writer(text)
        # A file that was repaired and has new faults brings the columns of last time.
        self._own = len(OWN_COLUMNS) if tuple(header[: len(OWN_COLUMNS)]) == OWN_COLUMNS else 0
        self._writer.writerow([*OWN_COLUMNS, *header[self._own :]])

    def write(self, refused: Iterable[Refused]) -> None:
        self._writer.writerows([row.line, row.reason, *row.cells[self._own :]] for row in refused)

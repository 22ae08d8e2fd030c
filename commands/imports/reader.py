"""A file of separated values, row by row. Memory stays flat whatever the size; a bad row never costs another."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import BinaryIO, NamedTuple

from commands.imports.encoding import CP1252, MAC_ROMAN, UTF_8, detect, named
from commands.imports.errors import UnreadableFile

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
MAX_FIELD_CHARACTERS = 131_072
MAX_ROW_CHARACTERS = 1 << 20
SAMPLE_LINES = 200
_EXCEL_HINT = re.compile(r"sep=(.)\s*\Z")
_DAMAGED = re.compile("[\ud800-\udfff]")


class Record(NamedTuple):
    """One row. `line` is that of its first character, from 1, as an editor counts. With a `problem` the cells are
    what could be made out, for the person who repairs it."""

    line: int
    cells: list[str]
    problem: str | None = None


class Table(NamedTuple):
    """How a file is to be read, found out by `survey`. `header_line` and the header's cells are as in the file."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    header_line: int


def survey(file: BinaryIO, encoding: str | None = None, delimiter: str | None = None) -> Table:
    """Find out encoding and delimiter where they are not given, and read the header. `file` can seek.
    Raises UnreadableFile: empty file, no header, undecodable."""
    if delimiter is not None:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise UnreadableFile("The delimiter is one character: a comma, semicolon, tab or pipe.")
    codec = named(encoding) if encoding else detect(file)
    if encoding:
        file.seek(0, 2)
        if not file.tell():
            raise UnreadableFile("The submitted file is empty.")
    lines = _Lines(file, codec)
    while True:
        try:
            line, text = lines.take()
        except StopIteration:
            raise UnreadableFile("The file has no header row.") from None
        if hint := _EXCEL_HINT.match(text):
            delimiter = delimiter or hint[1]
        elif text.strip("\x00 \t\r\n\ufeff,;|"):
            break
    lines.give_back([(line, text)])
    if delimiter is None:
        delimiter = _delimiter(lines)
    record = next(_records(lines, delimiter))
    if record.problem:
        raise UnreadableFile(f"Line {record.line}, the header: {record.problem}")
    return Table(codec, delimiter, tuple(record.cells), record.line)


def records(file: BinaryIO, table: Table) -> Iterator[Record]:
    """Yield the rows after the header; blank rows are passed over. Raises UnreadableFile where the encoding given
    does not fit."""
    lines = _Lines(file, table.encoding)
    width = len(table.header)
    least = max((i for i, name in enumerate(table.header, 1) if name.strip()), default=1)
    for record in _records(lines, table.delimiter):
        line, cells, problem = record
        if line <= table.header_line:
            continue
        if problem is None and len(cells) != width:
            problem = _pad(cells, width, least)
        if problem is None and not any(cells):
            continue
        yield record if problem is record.problem else Record(line, cells, problem)


def _pad(cells: list[str], width: int, least: int) -> str | None:
    """Bring a row to the header's width where nothing is lost or guessed; else say what is wrong."""
    if not "".join(cells).strip():
        cells[:] = [""] * width
    elif least <= len(cells) < width:
        cells.extend([""] * (width - len(cells)))
    elif len(cells) > width and not any(cells[width:]):
        del cells[width:]
    else:
        return f"The row has {len(cells)} columns where the header has {width}."
    return None


class _Lines:
    """Numbered physical lines without their ends, which may be given back. A line past the limit comes cut, with its
    rest passed over; `too_long` then holds its number."""

    def __init__(self, file: BinaryIO, codec: str) -> None:
        file.seek(0)
        lenient = codec in (UTF_8, CP1252, MAC_ROMAN)
        # Not closed with the wrapper: the caller's file outlives this reading of it.
        self._text = Unowned(file, encoding=codec, errors="surrogateescape" if lenient else "strict", newline=None)
        self._codec = codec
        self._next = 0
        self._given_back: deque[tuple[int, str]] = deque()
        self.too_long = -1

    def __iter__(self) -> Iterator[tuple[int, str]]:
        while True:
            try:
                yield self.take()
            except StopIteration:
                return

    def take(self) -> tuple[int, str]:
        if self._given_back:
            return self._given_back.popleft()
        try:
            text = self._text.readline(MAX_ROW_CHARACTERS)
        except UnicodeError as error:
            raise UnreadableFile(f"The file is not {self._codec} (after line {self._next}): {error}") from error
        if not text:
            raise StopIteration
        self._next += 1
        if text[-1] == "\n":
            return self._next, text[:-1]
        if len(text) >= MAX_ROW_CHARACTERS:
            self.too_long = self._next
            while (more := self._text.readline(MAX_ROW_CHARACTERS)) and more[-1] != "\n":
                pass
        return self._next, text

    def give_back(self, lines: Sequence[tuple[int, str]]) -> None:
        self._given_back.extendleft(reversed(lines))


class Unowned(TextIOWrapper):
    """A text layer that leaves its file open: whoever opened that reads or writes it further."""

    def close(self) -> None:
        self.detach()

    def __del__(self) -> None:
        pass


def _records(lines: _Lines, delimiter: str) -> Iterator[Record]:
    problem: str | None
    for line, text in lines:
        if line == lines.too_long:
            problem = f"The row is longer than {MAX_ROW_CHARACTERS} characters."
            yield Record(line, [text[:MAX_FIELD_CHARACTERS]], problem)
            continue
        if '"' not in text:
            cells, problem = text.split(delimiter), None
        else:
            cells, problem = _quoted(lines, text, delimiter)
        if problem is None and len(text) > MAX_FIELD_CHARACTERS and max(map(len, cells)) > MAX_FIELD_CHARACTERS:
            problem = f"A field is longer than {MAX_FIELD_CHARACTERS} characters."
        if problem is None and not text.isascii() and _DAMAGED.search(text):
            problem = "The row has bytes that are not text in the file's encoding."
        if cells != [""] and text.strip("\x00"):
            yield Record(line, cells, problem)


def _quoted(lines: _Lines, text: str, delimiter: str) -> tuple[list[str], str | None]:
    """Read a row that has quotation marks, with as many further lines as its quoted line ends take. Where that does not
    work out the further lines are rows of their own: one lost quotation mark costs one row."""
    taken: list[tuple[int, str]] = []
    size = len(text)

    def physical() -> Iterator[str]:
        nonlocal size
        yield text + "\n"
        for following, more in lines:
            taken.append((following, more))
            size += len(more) + 1
            if size > MAX_ROW_CHARACTERS:
                return
            yield more + "\n"

    try:
        cells = next(csv.reader(physical(), delimiter=delimiter, strict=True))
    except csv.Error as error:
        lines.give_back(taken)
        if "field larger" in str(error):
            return text.split(delimiter), f"A field is longer than {MAX_FIELD_CHARACTERS} characters."
        if taken or "end of data" in str(error):
            return text.split(delimiter), "A quotation mark is opened and never closed."
        return _sloppy(text, delimiter), None
    if taken and any(_DAMAGED.search(more) for _, more in taken):
        return cells, "The row has bytes that are not text in the file's encoding."
    return cells, None


def _sloppy(text: str, delimiter: str) -> list[str]:
    """Read `"Weird Al" Yankovic,…`: marks that are part of the text, not around it."""
    cells = []
    for cell in text.split(delimiter):
        whole = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")
        cells.append(cell[1:-1].replace('""', '"') if whole else cell)
    if any(cell.count('"') % 2 and cell.startswith('"') for cell in cells):
        return next(csv.reader([text], delimiter=delimiter))
    return cells


def _delimiter(lines: _Lines) -> str:
    """The one that cuts the header and the first rows alike; of several, the one that makes the most columns."""
    sample: list[tuple[int, str]] = []
    for numbered in lines:
        sample.append(numbered)
        if len(sample) >= SAMPLE_LINES:
            break
    lines.give_back(sample)
    best, most = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        rows = csv.reader((text + "\n" for _, text in sample), delimiter=delimiter)
        try:
            widths = [len(row) for row in rows if row]
        except csv.Error:
            widths = [len(text.split(delimiter)) for _, text in sample]
        if not widths or widths[0] < 2:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if (score := (round(alike, 1), widths[0])) > most:
            best, most = delimiter, score
    return best

import codecs
import csv
import io
import tracemalloc
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.imports.errors import UnreadableFile
from commands.imports.reader import MAX_FIELD_CHARACTERS, MAX_ROW_CHARACTERS, Record, Table, records, survey

NAMES = ["Björk", "Sigur Rós", "Motörhead", "Café", "Hüsker Dü", "Mylène Farmer", "Señor Coconut", "Straße", "Étoile"]
SIGNS = ["Don’t Look Back", "“Heroes”", "L’Amour", "1970–1977", "Live – Zoé", "Rockin’ All Over", "Foo…"]


def read(data: bytes, **given: str) -> tuple[Table, list[Record]]:
    file = io.BytesIO(data)
    table = survey(file, **given)
    return table, list(records(file, table))


def cells(data: bytes, **given: str) -> list[list[str]]:
    return [record.cells for record in read(data, **given)[1]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
@pytest.mark.parametrize("name", [*NAMES, *SIGNS])
def test_one_short_name_is_enough_to_tell_the_encoding(name: str, encoding: str, line_end: str) -> None:
    text = line_end.join(["artist,title", f'"{name}",Live', ""])
    assert cells(text.encode(encoding)) == [[name, "Live"]]


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
def test_the_encoding_shows_at_the_end_of_a_long_file_too(encoding: str) -> None:
    data = "artist,title\n" + "Nirvana,Nevermind\n" * 100_000 + "Björk,Début\n"
    table, rows = read(data.encode(encoding))
    assert table.encoding == encoding
    assert rows[-1] == Record(100_002, ["Björk", "Début"])


def test_utf_16_without_a_mark_is_known_by_its_nuls() -> None:
    assert cells("artist,title\r\nBjörk,Debut\r\n".encode("utf-16-le")) == [["Björk", "Debut"]]


def test_one_broken_byte_in_utf_8_costs_one_row() -> None:
    data = b"artist,title\nBj\xc3\xb6rk,Debut\nMot\xf6rhead,Bomber\nCaf\xc3\xa9,Rosso\n"
    table, rows = read(data)
    assert table.encoding == "utf-8-sig"
    assert [row.problem is None for row in rows] == [True, False, True]
    assert rows[1].line == 3


def test_a_utf_8_file_may_end_inside_a_character() -> None:
    table, rows = read("artist\nBjörk\nSigur Rós\n".encode() + "Café".encode()[:-1])
    assert table.encoding == "utf-8-sig"
    assert [row.cells for row in rows[:2]] == [["Björk"], ["Sigur Rós"]]
    assert rows[2].problem


def test_a_given_encoding_is_taken_and_an_unknown_one_refused() -> None:
    assert cells("artist\nКино\n".encode("cp1251"), encoding="cp1251") == [["Кино"]]
    with pytest.raises(UnreadableFile, match="Unknown encoding: klingon"):
        read(b"a\n1\n", encoding="klingon")
    with pytest.raises(UnreadableFile, match="not shift_jis"):
        read(b"a\n\x81\x20\n", encoding="shift_jis")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_though_others_are_in_the_text(delimiter: str) -> None:
    rows = [["artist", "title"], ["Earth, Wind & Fire", "a;b|c"], ["Tab\tTab", "x"], ["AC;DC", "One, Two | Three"]]
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(rows)
    table, found = read(file.getvalue().encode())
    assert table.delimiter == delimiter
    assert [row.cells for row in found] == rows[1:]


def test_excels_hint_names_the_delimiter() -> None:
    table, rows = read(b"sep=;\r\nartist;title\r\nAir;Moon, Safari\r\n")
    assert (table.delimiter, table.header) == (";", ("artist", "title"))
    assert rows == [Record(3, ["Air", "Moon, Safari"])]


def test_a_delimiter_is_one_character() -> None:
    assert cells(b"a\tb\n1\t2\n", delimiter="tab") == [["1", "2"]]
    with pytest.raises(UnreadableFile, match="one character"):
        read(b"a\n1\n", delimiter="::")


def test_line_numbers_are_those_of_an_editor() -> None:
    data = b'title,notes\r\nOne,"first\r\nsecond\nthird"\r\n\r\nTwo,x\r\n'
    assert read(data)[1] == [Record(2, ["One", "first\nsecond\nthird"]), Record(6, ["Two", "x"])]


def test_formats_with_inch_marks_are_read_as_they_are_meant() -> None:
    assert cells(b'title,format\nA,"7"", RE"\nB,12"\nC,"LP, Album + 7"", Single"\n') == [
        ["A", '7", RE'],
        ["B", '12"'],
        ["C", 'LP, Album + 7", Single'],
    ]


def test_quotation_marks_of_the_text_itself_stay() -> None:
    rows = cells(b'artist,title,year\n"Weird Al" Yankovic,Bad Hair Day,1996\n"Earth, Wind","a ""b"" c",1\n')
    assert rows == [['"Weird Al" Yankovic', "Bad Hair Day", "1996"], ["Earth, Wind", 'a "b" c', "1"]]


def test_a_lost_quotation_mark_costs_its_own_row_alone() -> None:
    _, rows = read(b'title,artist\nOne,Air\n"Two,Beck\nThree,"Can, live"\nFour,Devo\n')
    assert [(row.line, row.problem is None) for row in rows] == [(2, True), (3, False), (4, True), (5, True)]
    assert rows[1].problem == "A quotation mark is opened and never closed."
    assert rows[2].cells == ["Three", "Can, live"]


def test_an_unclosed_quotation_mark_in_the_last_row_is_that_rows_problem() -> None:
    rows = read(b'title,artist\nOne,Air\nTwo,"Beck')[1]
    assert [row.problem for row in rows] == [None, "A quotation mark is opened and never closed."]


def test_ragged_rows_are_named_and_empty_ends_are_not() -> None:
    data = b"title,artist,year,\nOne,Air,1998,\nTwo,Beck\nThree,Can,1971,,,\nFour,Devo,1,2,3\nFive,Eno,1975\n"
    rows = read(data)[1]
    assert [(row.line, row.problem) for row in rows if row.problem] == [
        (3, "The row has 2 columns where the header has 4."),
        (5, "The row has 5 columns where the header has 4."),
    ]
    assert rows[2].cells == ["Three", "Can", "1971", ""]
    assert rows[4].cells == ["Five", "Eno", "1975", ""]


def test_blank_rows_are_no_rows() -> None:
    assert cells(b"\n\ntitle,artist\n\n,\n   \nOne,Air\n\x00\x00\n,,\n") == [["One", "Air"]]


def test_nul_bytes_stay_in_their_cell() -> None:
    assert cells(b"title,artist\nO\x00ne,Air\nTwo,Beck\n") == [["O\x00ne", "Air"], ["Two", "Beck"]]


def test_repeated_and_blank_header_names_are_kept() -> None:
    table, rows = read(b"title,,title,\nOne,x,Two,\n")
    assert table.header == ("title", "", "title", "")
    assert rows == [Record(2, ["One", "x", "Two", ""])]


@pytest.mark.parametrize("data", [b"", b"\n\n", codecs.BOM_UTF8, b"\x00\x00\x00\n"])
def test_a_file_without_a_header_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(UnreadableFile) as refused:
        read(data)
    assert str(refused.value) in ("The submitted file is empty.", "The file has no header row.")


def test_a_header_alone_has_no_rows() -> None:
    assert read(b"title,artist\r\n")[1] == []
    assert read(b"title,artist")[1] == []


def test_a_field_over_the_limit_is_its_rows_problem() -> None:
    long = b"x" * (MAX_FIELD_CHARACTERS + 1)
    data = b'title,artist\nOne,%b\nTwo,"%b"\nThree,Can\n' % (long, long)
    rows = read(data)[1]
    reason = f"A field is longer than {MAX_FIELD_CHARACTERS} characters."
    assert [row.problem for row in rows] == [reason, reason, None]


def test_a_line_without_end_is_passed_over_in_flat_memory() -> None:
    class Endless(io.RawIOBase):
        """300 MB of one line, and a row after it."""

        parts: ClassVar = [b"title,artist\nOne,", *[b"x" * 1_000_000] * 300, b"\nTwo,Beck\n"]

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at, self.rest = 0, b""
            return 0

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            if not self.rest and self.at < len(self.parts):
                self.rest = self.parts[self.at]
                self.at += 1
            count = min(len(buffer), len(self.rest))
            buffer[:count] = self.rest[:count]
            self.rest = self.rest[count:]
            return count

    file = io.BufferedReader(Endless())
    tracemalloc.start()
    try:
        found = list(records(file, Table("utf-8-sig", ",", ("title", "artist"), 1)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(row.line, row.problem) for row in found] == [
        (2, f"The row is longer than {MAX_ROW_CHARACTERS} characters."),
        (3, None),
    ]
    assert peak < 20_000_000


# A lone CR ends a line and NUL is blank; the round trip is about everything else that text can hold.
_cell = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)
_row = st.lists(_cell, min_size=3, max_size=3).filter(lambda row: all(cell.strip() for cell in row))


@given(st.lists(_row, max_size=8), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_a_csv_writer_writes_is_read_back(rows: list[list[str]], delimiter: str, end: str, marked: bool) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows([["title", "artist", "year"], *rows])
    data = file.getvalue().encode("utf-8-sig" if marked else "utf-8")
    assert cells(data, delimiter=delimiter, encoding="utf-8") == rows


_western = st.text(st.sampled_from("abcdefgh ABC 123 éèöüñçåøß"), min_size=1, max_size=12)


@given(st.lists(_western.filter(lambda text: bool(text.strip())), min_size=1), st.binary(max_size=40))
def test_junk_never_raises_anything_but_a_clear_refusal(names: list[str], junk: bytes) -> None:
    data = "\n".join(["title", *names]).encode("cp1252") + junk
    said = ""
    try:
        assert all(record.line > 1 for record in read(data)[1])
    except UnreadableFile as refused:
        said = str(refused)
    assert "\n" not in said

"""Whole files into the catalogue and back out of it."""

import csv
import io
import json
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.imports.reader import records, survey
from commands.imports.run import Options, Source, ahead
from commands.settings import Settings
from domain.product.form import CREATE
from tests.importing import SHARED, Shop, album_list, environment, eventually, needs_shared, shop

COLLECTION = (
    b"Catalog#,Artist,Title,Label,Format,Rating,Released,release_id,CollectionFolder,Date Added,"
    b"Collection Media Condition,Collection Sleeve Condition,Collection Notes\n"
    b'"abr0050, N11",Krill (4),Rare Coins ,"Soul (5), Soul (5)","2xLP, Album",,2005,1576528,X,2019-02-25 16:17:20,,,\n'
    b'CAD 3014,The Breeders,Last Splash,4AD,"7"", RE",,0,11851708,X,2019-03-02 08:37:09,Mint (M),Generic,\n'
    b'CAD 3014,The Breeders,Last Splash,4AD,"7"", RE",,0,11851708,X,2019-03-02 08:37:09,,,\n'
    b"CAD 1,,,4AD,LP,,1999,12,X,2019-03-02 08:37:09,,,\n"
)
UPLOAD = b"release_id,price,media_condition,sleeve_condition,comments,status,external_id\n%d,2.5,Mint (M),,,Draft,\n"
DEADWAX = (sys.executable, "-m", "api.cli")


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


def tally(at: Shop, data: bytes, **options: object) -> tuple[int, int, int, int]:
    """Import; return created, unchanged, duplicates, rejected."""
    counts = at.bring(data, **options)[0].counts  # type: ignore[arg-type]
    assert counts.done == counts.created + counts.unchanged + counts.duplicates + counts.rejected
    return counts.created, counts.unchanged, counts.duplicates, counts.rejected


def test_a_collection_is_imported_once_and_every_row_is_accounted_for(at: Shop) -> None:
    summary, _ = at.bring(COLLECTION)
    assert (summary.counts.created, summary.counts.duplicates, summary.counts.rejected) == (2, 1, 1)
    assert [(row.line, row.reason) for row in summary.errors] == [(5, "title: This field is required.")]
    assert summary.repeats == [(4, 3)]
    coins, splash = at.products()
    assert coins["artist"]["name"] == "Krill"
    assert coins["music_label"]["name"] == "Soul"
    assert coins["metadata"] == {"external_id": "1576528", "external_id_title": "Discogs release"}
    assert (splash["formats"], splash["year"], splash["type"]) == (['7"', "RE"], None, "physical")
    assert tally(at, COLLECTION) == (0, 2, 1, 1)
    assert at.product_count() == 2


def test_what_was_refused_can_be_repaired_and_imported(at: Shop) -> None:
    header = b"title,artist,year\n"
    rejects = at.bring(header + b'One,Air,19755\nTwo,Beck\n"Three, Four",Can,1,2,3\nFive,Devo,1980\n')[1]
    rows = list(csv.reader(io.StringIO(rejects)))
    assert rows[0] == ["line", "reason", "title", "artist", "year"]
    assert [row[2:] for row in rows[1:]] == [
        ["One", "Air", "19755"],
        ["Two", "Beck"],
        ["Three, Four", "Can", "1", "2", "3"],
    ]
    file = io.StringIO()
    rows[1][4] = "1975"
    csv.writer(file).writerows(rows)
    summary, again = at.bring(file.getvalue().encode())
    assert (summary.counts.created, summary.counts.rejected) == (1, 2)
    assert next(csv.reader(io.StringIO(again))) == ["line", "reason", "title", "artist", "year"]


def test_an_upload_file_finds_the_releases_that_are_there(at: Shop) -> None:
    assert tally(at, UPLOAD % 11851708) == (0, 0, 0, 1)
    at.bring(COLLECTION)
    assert tally(at, UPLOAD % 11851708) == (1, 0, 0, 0)
    assert tally(at, UPLOAD % 11851708) == (0, 1, 0, 0)
    assert at.product_count() == 2
    summary, rejects = at.bring(UPLOAD % 99)
    assert summary.errors[0].reason.startswith("release_id: No product of this release is known")
    assert rejects.splitlines()[1].endswith("99,2.5,Mint (M),,,Draft,")


def test_a_dry_run_says_what_would_be(at: Shop) -> None:
    assert tally(at, COLLECTION, dry_run=True) == (2, 0, 1, 1)
    assert at.product_count() == 0
    at.bring(COLLECTION)
    assert tally(at, COLLECTION, dry_run=True) == (0, 2, 1, 1)


def test_a_batch_leans_on_the_one_that_is_being_saved(at: Shop) -> None:
    at.bring(album_list(3000))
    [[first, last, count]] = at.rows(
        "SELECT min(notification_id), max(notification_id), count(*) FROM events WHERE %s IS NOT NULL"
    )
    # A save that was refused leaves a gap in the positions.
    assert last - first + 1 == count


def test_two_imports_of_one_file_at_once_make_each_product_once(at: Shop) -> None:
    data, created = album_list(4000), []
    threads = [threading.Thread(target=lambda: created.append(tally(at, data)[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(created) == at.product_count() == 4000


_cells = st.one_of(st.text(max_size=6), st.sampled_from(["", '"', "Air", "NaN", "0", "1998", "Björk (2)", "a,b", "\n"]))


@given(st.lists(st.lists(_cells, max_size=4), max_size=10))
def test_every_row_is_a_product_a_repeat_or_a_reason(rows: list[list[str]]) -> None:
    text = "\n".join(",".join(row) for row in [["title", "artist", "year"], *rows])
    data = text.encode("utf-8", "surrogatepass")
    source = Source(io.BytesIO(data), Options(encoding="utf-8"), CREATE.parse)
    batches = list(source.batches())
    file = io.BytesIO(data)
    table = survey(file, "utf-8")
    assert sum(batch.size for batch in batches) == source.count() == sum(1 for _ in records(file, table))
    for batch in batches:
        assert batch.size == len(batch.rows) + len(batch.refused) + len(batch.repeats)
        assert all(row.reason for row in batch.refused)


def test_batches_end_where_an_earlier_run_got_to() -> None:
    source = Source(io.BytesIO(album_list(1300)), Options())
    assert [batch.size for batch in source.batches(500, cut_at=600)] == [500, 100, 500, 200]


def test_reading_ahead_hands_errors_over_and_stops_when_nobody_reads_on() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    found = ahead(failing)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)

    endless = ahead(lambda: iter(range(1_000_000)))
    assert next(endless) == 0
    endless.close()  # type: ignore[attr-defined]
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "import-reader"], 5)


def test_memory_does_not_grow_with_the_file() -> None:
    def peak(rows: int) -> int:
        file = io.BytesIO(album_list(rows))
        tracemalloc.start()
        try:
            assert sum(batch.size for batch in Source(file, Options()).batches()) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1000)
    assert peak(40_000) < 1.5 * peak(8_000)


# What the real files hold: rows, created, repeated, refused.
REAL = {
    "collections/collection-b-401.csv": (401, 399, 2, 0),
    "collections/collection-d-316.csv": (316, 315, 1, 0),
    "albums/metal-albums-28069.csv": (28_069, 28_069, 0, 0),
    "albums/cc-releases-2289.csv": (2_289, 2_287, 0, 2),
    "albums/albumlist-2020.csv": (500, 499, 0, 1),
    "inventory/discogs-inventory-2026-live-1row.csv": (1, 1, 0, 0),
    "inventory/discogs-inventory-2020-header-only.csv": (0, 0, 0, 0),
    "inventory/discogs-upload-template-1row.csv": (1, 0, 0, 1),
}


@needs_shared
@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_imported_completely_and_a_second_time_not_at_all(at: Shop, name: str) -> None:
    rows, created, repeated, refused = REAL[name]
    data = (SHARED / name).read_bytes()
    assert tally(at, data) == (created, 0, repeated, refused)
    assert at.product_count() == created
    assert tally(at, data) == (0, created, repeated, refused)
    assert at.product_count() == created
    assert created + repeated + refused == rows


@needs_shared
def test_a_real_shops_list_in_another_language_is_imported_by_its_map(at: Shop) -> None:
    data = (SHARED / "inventory/seller-hu-unas-747.csv").read_bytes()
    mapping = {"title": "Termék Név", "sku": "Cikkszám", "label": "Paraméter: Label||text", "upc": "Kép link"}
    assert tally(at, data, mapping=mapping) == (739, 0, 8, 0)
    assert tally(at, data, mapping=mapping) == (0, 739, 8, 0)


@needs_shared
def test_a_real_collection_comes_back_as_it_was(at: Shop) -> None:
    at.bring((SHARED / "collections/collection-d-316.csv").read_bytes())
    found = {product["metadata"]["external_id"]: product for product in at.products()}
    isaacs, seven, cream = found["13880176"], found["12336474"], found["3068785"]
    assert (isaacs["title"], isaacs["music_label"]["name"]) == ("Mr. Isaacs", "17 North Parade")
    assert (seven["formats"], seven["artist"]["name"]) == (['7"', "RE"], "Danny Red / Forward Fever")
    assert cream["formats"] == ["LP", "Album", "RE", "RM"]
    assert not [p for p in found.values() if p["year"] == "0" or "(2)" in p["artist"]["name"]]


def deadwax(settings: Settings, folder: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEADWAX, "import", *arguments], cwd=folder, env=environment(settings), input=data.decode(), text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_shell_imports_and_reports(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(COLLECTION)
    unknown = deadwax(settings, tmp_path, "mine.csv", "--organization", "Vinyl Only")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == (
        "deadwax: There is no organization 'Vinyl Only'. There is none yet. --create-organization makes it.\n"
    )
    done = deadwax(settings, tmp_path, "mine.csv", "--organization", "Vinyl Only", "--create-organization")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Discogs collection export, utf-8-sig, 4 rows",
        "  created                          2",
        "  unchanged                        0",
        "  duplicates in the file           1",
        "  rejected                         1",
        "  line 5: title: This field is required.",
        "  line 4: the same as line 3",
        "Rejected rows, to repair and import again: mine-rejects.csv",
    ]
    assert (tmp_path / "mine-rejects.csv").read_text("utf-8-sig").splitlines()[1].startswith("5,title: This field")
    again = deadwax(settings, tmp_path, "mine.csv", "--organization", "VINYL only", "--json")
    report = json.loads(again.stdout)
    assert (report["rows_total"], report["rows_created"], report["rows_unchanged"]) == (4, 0, 2)
    assert (report["format"], report["errors"][0]["line"]) == ("discogs-collection", 5)
    other = deadwax(settings, tmp_path, "mine.csv", "--organization", "Shellac")
    assert "There is no organization 'Shellac'. There are: Vinyl Only." in other.stderr


def test_the_shell_says_in_one_line_what_is_wrong(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Jahr,Preis\n1,2\n")
    (tmp_path / "empty.csv").touch()
    for arguments, said in (
        (("none.csv",), "deadwax: none.csv: No such file or directory\n"),
        (("empty.csv",), "deadwax: The submitted file is empty.\n"),
        (("list.csv", "--map", "title=Titel"), "deadwax: The file has no column 'Titel'. Columns: Jahr, Preis.\n"),
        (("list.csv", "--map", "name=Jahr"), "deadwax: Unknown field 'name' in the map. Fields: title, artist, "),
        (("list.csv", "--encoding", "klingon"), "deadwax: Unknown encoding: klingon."),
    ):
        refused = deadwax(settings, tmp_path, *arguments, "--organization", "X", "--create-organization")
        assert refused.returncode == 1
        assert refused.stderr.startswith(said)
        assert refused.stderr.count("\n") == 1
    for arguments in (("list.csv", "--map", "title"), ("list.csv", "--type", "vinyl")):
        assert deadwax(settings, tmp_path, *arguments, "--organization", "X").returncode == 2


def test_the_shell_reads_standard_input_and_a_dry_run_writes_no_file(settings: Settings, tmp_path: Path) -> None:
    arguments = ("-", "--organization", "X", "--create-organization", "--dry-run", "--map", "title=Name")
    done = deadwax(settings, tmp_path, *arguments, data=b"Name;Year\nDebut;1993\n;1994\n")
    assert "  would be created                 1" in done.stdout.splitlines()
    assert list(tmp_path.iterdir()) == []


def test_an_import_that_is_killed_goes_on_where_it_was(at: Shop, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(album_list(12_000))
    [[name]] = at.rows("SELECT name FROM organization WHERE id = %s")
    command = [*DEADWAX, "import", "list.csv", "--organization", name]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(settings), stdout=subprocess.DEVNULL)
    eventually(lambda: at.product_count() > 1500)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.5)
    there = at.product_count()
    assert 0 < there < 12_000
    done = deadwax(settings, tmp_path, "list.csv", "--organization", name, "--json")
    report = json.loads(done.stdout)
    assert (report["rows_created"], report["rows_unchanged"]) == (12_000 - there, there)
    assert at.product_count() == 12_000

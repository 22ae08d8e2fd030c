"""What the bench stands on: records that are the same in every run, and a page that keeps what was not measured."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from uuid import UUID

import pytest

from bench import report
from bench.albums import Album, albums
from bench.report import Group, Row
from bench.sellers import sellers


def _ids(album: Album) -> Iterator[UUID]:
    yield album.id
    yield from (item.id for item in album.items)
    yield from (presence.id for presence in album.presences)


def test_records_are_the_same_in_every_run_and_no_id_comes_twice() -> None:
    made = [album for seller in range(5) for album in albums(seller, 0, 400)]

    assert made == [album for seller in range(5) for album in albums(seller, 0, 400)]
    ids = list(chain.from_iterable(map(_ids, made)))
    numbers = [presence.number for album in made for presence in album.presences]
    assert len(set(ids)) == len(ids)
    assert len(set(numbers)) == len(numbers)


def test_sellers_share_all_the_products_and_one_is_left_to_write_to() -> None:
    for size in (4_000, 200_000, 1_000_000):
        found = sellers(size)

        assert len(found) > 2
        assert sum(seller.products for seller in found) == size


def test_rows_that_were_not_measured_stay_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\n<!-- figures -->\n<!-- end of figures -->\n\nMore.\n")
    monkeypatch.setattr(report, "PAGE", page)

    header = ("", "Deadwax", "wanted")
    report.keep([Group("Reads", header, [Row(("detail", "1", "≥ 2"), False), Row(("tags", "5", "–"), None)])], "here")
    report.keep([Group("Reads", header, [Row(("detail", "3", "≥ 2"), True)])], "here")

    text = page.read_text()
    assert text.startswith("# Performance\n\n<!-- figures -->\n### Reads\n\nMeasured on ")
    assert text.endswith("| detail | 3 | ≥ 2 | yes |\n| tags | 5 | – |  |\n<!-- end of figures -->\n\nMore.\n")

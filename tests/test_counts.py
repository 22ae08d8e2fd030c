"""Counts that are kept: of one revision, of one question, and only so many."""

import pytest

from projections.counts import Counts

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counted:
    """A count that says how often it was made."""

    def __init__(self) -> None:
        self.made = 0

    async def __call__(self) -> int:
        self.made += 1
        return self.made


async def test_rows_are_counted_once_a_revision() -> None:
    counts, rows = Counts(), Counted()
    assert [await counts.count("q", revision, rows) for revision in (1, 1, 2, 2, 1)] == [1, 1, 2, 2, 3]


async def test_questions_do_not_share_a_count() -> None:
    counts, one, other = Counts(), Counted(), Counted()
    await one()
    assert [await counts.count("q", 1, one), await counts.count("r", 1, other), one.made, other.made] == [2, 1, 2, 1]


async def test_the_counts_asked_for_last_are_kept() -> None:
    counts, rows = Counts(limit=2), Counted()
    for question in ("a", "b", "a", "c", "a", "b"):
        await counts.count(question, 1, rows)
    assert rows.made == 4

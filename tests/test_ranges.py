import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ranges import Span, Unsatisfiable, asked_span, http_date, parsed_date, still_is

TAG = '"a1b2"'
MODIFIED = datetime(2026, 3, 1, 12, 30, 15, 999, tzinfo=UTC)

_specs = st.tuples(st.integers(0, 40), st.none() | st.integers(0, 40)) | st.integers(0, 40)


def spelled(spec: object) -> str:
    if isinstance(spec, int):
        return f"-{spec}"
    assert isinstance(spec, tuple)
    first, last = spec
    return f"{first}-{'' if last is None else last}"


def bytes_of(spec: object, size: int) -> set[int]:
    """What a range is, byte by byte, in the words of the standard."""
    if isinstance(spec, int):
        return {at for at in range(size) if at >= size - spec}
    assert isinstance(spec, tuple)
    first, last = spec
    return {at for at in range(size) if at >= first and (last is None or at <= last)}


@given(st.lists(_specs, min_size=1, max_size=4), st.integers(1, 30), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_a_span_is_exactly_the_bytes_asked_for_where_they_lie_together(
    specs: list[object], size: int, comma: str
) -> None:
    header = f"bytes={comma.join(map(spelled, specs))}"
    is_wrong = any(isinstance(spec, tuple) and spec[1] is not None and spec[1] < spec[0] for spec in specs)
    wanted = set[int]().union(*(bytes_of(spec, size) for spec in specs))
    if is_wrong:
        assert asked_span(header, size) is None
    elif not wanted:
        with pytest.raises(Unsatisfiable):
            asked_span(header, size)
    else:
        is_together = wanted == set(range(min(wanted), max(wanted) + 1))
        expected = Span(min(wanted), max(wanted) + 1) if is_together else None
        assert asked_span(header, size) == expected


@given(
    st.text(max_size=60) | st.text("bytes=-,0123456789 \t", max_size=30).map("bytes=".__add__), st.integers(1, 10**12)
)
def test_no_header_breaks_it_and_no_span_leaves_the_file(header: str, size: int) -> None:
    try:
        span = asked_span(header, size)
    except Unsatisfiable:
        return
    if span is not None:
        assert 0 <= span.start < span.end <= size
        assert re.match(r"bytes\s*=", header.strip(), re.IGNORECASE)


@pytest.mark.parametrize(
    "header", [None, "", "bytes", "bytes=", "bytes=,", "bytes=a-b", "bytes=5-2", "items=0-1", "bytes=0-1;", "bytes=--1",
               "bytes=+1-2", "bytes=\u0663-\u0664", "bytes=0-0," * 500, "bytes=" + "9" * 5000 + "-"],
)  # fmt: skip
def test_what_is_not_understood_is_no_range(header: str | None) -> None:
    assert asked_span(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99-,-0"])
def test_what_lies_past_the_end_cannot_be_had(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        asked_span(header, 10)


def test_the_unit_is_written_as_one_likes() -> None:
    assert asked_span(" Bytes =2-3", 10) == Span(2, 4)


def test_a_range_holds_only_while_the_file_is_the_one_that_was_begun() -> None:
    date = http_date(MODIFIED)
    assert date == "Sun, 01 Mar 2026 12:30:15 GMT"
    assert parsed_date(date) == MODIFIED.replace(microsecond=0)
    for same in (None, TAG, f" {TAG} ", date, "Sunday, 01-Mar-26 12:30:15 GMT"):
        assert still_is(same, TAG, MODIFIED), same
    late = http_date(MODIFIED + timedelta(seconds=1))
    for other in (f"W/{TAG}", '"other"', late, "yesterday", "", "0"):
        assert not still_is(other, TAG, MODIFIED), other

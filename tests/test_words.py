from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.words import EXPANSION, fold, query, vector

Search = Callable[..., bool]
OURS, THEIRS = UUID(int=1 << 40 | 1), UUID(int=1 << 40 | 1 << 20)


@pytest.fixture
def found(database_url: str) -> Iterator[Search]:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def search(stored: str, asked: str, identifier: str | None = None, by: UUID = OURS) -> bool:
            words = query(by, asked)
            assert words is not None
            made = vector(OURS, [stored, identifier], [identifier])
            row = connection.execute("SELECT %s::tsvector @@ %s::text::tsquery", [made, words]).fetchone()
            assert row is not None
            return bool(row[0])

        yield search


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Abbey Road", "abb roa"),
        ("Abbey Road", "ROAD abbey"),
        ("Björk – Début", "bjork debut"),
        ("Bjork", "BJÖRK"),
        ("Straße", "strasse"),
        ("Røyksopp", "royk"),
        ("Łódź Ægir", "lodz AEGIR"),
        ("Royksopp", "RØYKSOPP"),
        ("AC/DC Live", "acdc"),
        ("AC/DC Live", "ac/dc"),
        ("ACDC Live", "AC/DC"),
        ("Don't Look Back", "dont"),
        ("=ver.1.5.6", "1.5.6"),
        ("!!!", "!!!"),
        ("東京事変", "東京"),
        ("Кино", "кин"),
        ("a_b", "a_b"),
        ("One two three", '"two three"'),
        ("One two three", '"two thr'),
        ("13 & God", "13 & god"),
    ],
)
def test_a_word_is_found_by_its_beginning_whatever_its_case_accents_and_punctuation(
    found: Search, stored: str, asked: str
) -> None:
    assert found(stored, asked)


@pytest.mark.parametrize("asked", ["PCS 7088", "pcs7088", "7088", "PCS-7088", "pcs", "pcs.7088", "pcs708"])
def test_an_identifier_is_found_with_and_without_its_punctuation(found: Search, asked: str) -> None:
    assert found("x", asked, identifier="PCS 7088")
    assert found("x", asked, identifier="PCS-7088")


@pytest.mark.parametrize("asked", ["KT-INS114", "ins114", "ktins114", "kt ins114"])
def test_a_hyphenated_identifier_is_found_by_its_parts(found: Search, asked: str) -> None:
    assert found("x", asked, identifier="KT-INS114")


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Abbey Road", "abbey lane"),
        ("Abbey Road", "bbey"),
        ("One two three", '"one three"'),
        ("One two three", '"three two"'),
        ("Abbey Road", "(((("),
    ],
)
def test_what_is_not_there_is_not_found(found: Search, stored: str, asked: str) -> None:
    assert not found(stored, asked)


def test_a_phrase_does_not_reach_from_one_field_into_the_next(found: Search) -> None:
    assert found("Abbey", "road", identifier="Road")
    assert not found("Abbey", '"abbey road"', identifier="Road")


def test_another_organizations_words_are_other_words(found: Search) -> None:
    assert not found("Abbey Road", "abbey", by=THEIRS)


@pytest.mark.parametrize("asked", ["", "   ", '""', '" "'])
def test_a_search_without_a_word_asks_nothing(asked: str) -> None:
    assert query(OURS, asked) is None


@given(stored=st.text(max_size=60).map(lambda t: t.replace("\0", "")), asked=st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_no_text_is_too_strange_to_be_stored_or_asked_for(found: Search, stored: str, asked: str) -> None:
    stored, asked = (t.encode("utf-8", "ignore").decode().replace("\0", "") for t in (stored, asked))
    if query(OURS, asked) is not None:
        found(stored, asked)
    words = stored.replace('"', " ")
    if query(OURS, words) is not None:
        assert found(words, words), words


def test_a_text_of_the_greatest_length_fits(found: Search) -> None:
    many = " ".join(f"word{i}" for i in range(12_000))
    assert found(many, "word0 word11999")
    assert found("ab-" * 33_000, "ab")
    assert found("語 " * 50_000, "語")


def test_signs_that_stand_for_a_sentence_do_not_make_a_text_many_times_as_long() -> None:
    assert fold("\ufdfa" * 20) == fold("\ufdfa") * 20
    assert len(fold("\ufdfa" * 100_000)) <= 200_000 + EXPANSION

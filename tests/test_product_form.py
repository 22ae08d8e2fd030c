from typing import Any

import pytest

from domain.choices import LICENSE_TYPES
from domain.product.events import ProductCreated
from domain.product.form import CREATE, REVISE


def test_a_title_alone_makes_a_digital_product() -> None:
    assert CREATE.parse({"title": " Abbey Road "}) == ({"type": "digital", "title": "Abbey Road"}, {})


def test_values_are_named_as_the_event_names_them() -> None:
    names = CREATE.fields.keys() - {"artist_name", "music_label_name"}
    assert names <= set(ProductCreated.__struct_fields__)


def test_a_revision_requires_nothing_and_has_no_defaults() -> None:
    assert REVISE.parse({}) == ({}, {})


def test_the_type_is_read_only_after_creation() -> None:
    assert REVISE.parse({"type": "nonsense"}, strict=True) == ({}, {})
    assert CREATE.parse({"title": "x", "type": "nonsense"}).errors == {"type": ['"nonsense" is not a valid choice.']}


@pytest.mark.parametrize("license_type", [*LICENSE_TYPES, "", None])
def test_every_license_type_is_taken_and_so_is_none(license_type: str | None) -> None:
    assert REVISE.parse({"license_type": license_type}) == ({"license_type": license_type}, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "x" * 256),
        ("catalog_number", "x" * 101),
        ("media_type", "x" * 101),
        ("default_visibility", "x" * 51),
        ("background_color", "x" * 51),
        ("marketplace_description", "x" * 100_001),
        ("license_notes", "x" * 100_001),
        ("artist_name", "x" * 256),
        ("external_id", "x" * 101),
        ("tags", ["x" * 101]),
        ("tags", [str(number) for number in range(101)]),
        ("tags", None),
        ("is_mature_content", None),
        ("formats", [""]),
    ],
)
def test_what_is_too_much_is_refused_alike_on_create_and_revise(field: str, value: Any) -> None:
    body = {"title": "Abbey Road", field: value}
    assert CREATE.parse(body).errors == REVISE.parse(body).errors
    assert list(REVISE.parse(body).errors) == [field]


def test_names_are_folded_and_blank_ones_are_kept_as_blank() -> None:
    parsed = REVISE.parse({"artist_name": "  The   Beatles ", "music_label_name": " "})
    assert parsed.values == {"artist_name": "The Beatles", "music_label_name": ""}


def test_long_texts_keep_their_white_space() -> None:
    text = " First line\n\n  second \n"
    assert REVISE.parse({"marketplace_description": text}).values == {"marketplace_description": text}

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.asset import form
from domain.asset.asset import (
    MAX_ASSETS,
    ON_PHYSICAL,
    STAYS_PRIMARY,
    TOO_MANY,
    Asset,
    check,
    create,
    delete,
    evolve,
    fold,
    refuse_on,
    replace_primary,
    revise,
)
from domain.asset.events import AssetCreated, AssetDeleted, AssetRevised
from domain.asset.media_type import is_among, media_type
from domain.errors import Invalid
from tests.scenario import NOW, STAMP, scenario

PRODUCT = UUID(int=7)
FILE: dict[str, Any] = {
    "filename": "album.zip",
    "content_type": "application/zip",
    "size_bytes": 99,
    "sha256": "ab" * 32,
    "blob": "org/assets/token/file",
}
given = scenario(evolve)


def created(number: int = 1, *siblings: Asset, **values: Any) -> list[AssetCreated | AssetRevised]:
    stamp = STAMP._replace(timestamp=NOW + timedelta(seconds=number))
    return create(UUID(int=number), PRODUCT, siblings, {**FILE, **values}, stamp)


def asset(number: int = 1, *, is_primary: bool = False) -> Asset:
    other = [] if is_primary else [asset(99, is_primary=True)]
    found = fold(created(number, *other)[:1])
    assert found is not None
    return found


def test_the_first_asset_is_primary_whatever_is_said_of_it() -> None:
    for said in ({}, {"is_primary": False}, {"is_primary": True}):
        [made] = created(1, **said)
        assert isinstance(made, AssetCreated)
        assert made.is_primary


def test_a_further_asset_is_primary_where_it_is_said_and_takes_the_flag_from_who_had_it() -> None:
    first, second = asset(1, is_primary=True), asset(2)
    [made] = created(3, first, second)
    assert not made.is_primary
    made, demoted = created(3, first, second, is_primary=True)
    assert made.is_primary
    assert demoted == AssetRevised(**{**STAMP.on(first.id, 2), "timestamp": made.timestamp}, is_primary=False)


def test_a_product_has_so_many_assets_and_no_more() -> None:
    siblings = [asset(1, is_primary=True)] * MAX_ASSETS
    with pytest.raises(Invalid) as refused:
        created(3, *siblings)
    assert refused.value.errors == {"file": [TOO_MANY]}


def test_a_physical_product_can_have_none() -> None:
    with pytest.raises(Invalid) as refused:
        refuse_on("physical")
    assert refused.value.errors == {"non_field_errors": [ON_PHYSICAL]}
    for type in ("digital", "digital-report", "nft"):
        refuse_on(type)


def test_a_revision_tells_what_changed_and_nothing_else() -> None:
    started = given(*created(1, display_name="Album"))
    when = started.when(lambda asset: revise(asset, (), {"display_name": "Album", "description": "FLAC"}, STAMP))
    when.then(AssetRevised, display_name="Album", description="FLAC", version=2, updated=NOW)
    [event] = when.events
    assert isinstance(event, AssetRevised)
    assert event.display_name is not None
    started.when(lambda asset: revise(asset, (), {"display_name": "Album", "is_primary": True}, STAMP)).then()
    started.when(lambda asset: revise(asset, (), {"display_name": None}, STAMP)).then(AssetRevised, display_name=None)


def test_who_becomes_primary_takes_the_flag_from_who_is() -> None:
    first, second = asset(1, is_primary=True), asset(2)
    made, demoted = revise(second, [first], {"is_primary": True}, STAMP)
    assert (made.originator_id, made.is_primary) == (second.id, True)
    assert (demoted.originator_id, demoted.is_primary) == (first.id, False)


def test_the_primary_one_does_not_give_the_flag_up() -> None:
    first, second = asset(1, is_primary=True), asset(2)
    assert check(first, {"is_primary": False}) == {"is_primary": [STAYS_PRIMARY]}
    with pytest.raises(Invalid):
        revise(first, (), {"is_primary": False}, STAMP)
    assert check(second, {"is_primary": False}) == check(first, {"is_primary": True}) == {}
    assert revise(second, (), {"is_primary": False}, STAMP) == []


def test_where_the_primary_one_goes_the_oldest_left_becomes_it() -> None:
    first, second, third = asset(1, is_primary=True), asset(2), asset(3)
    [event] = replace_primary(first, [third, second], STAMP)
    assert isinstance(event, AssetRevised)
    assert (event.originator_id, event.is_primary, event.originator_version) == (second.id, True, 2)
    assert replace_primary(second, [first, third], STAMP) == replace_primary(first, [], STAMP) == []


def test_a_deleted_asset_is_no_more() -> None:
    assert given(*created()).when(lambda asset: delete(asset, STAMP)).then(AssetDeleted) is None


@pytest.mark.parametrize(
    ("given_type", "filename", "expected"),
    [
        ("application/zip", "a.png", "application/zip"),
        ("Image/PNG; charset=x", "a", "image/png"),
        (None, "cover.PNG", "image/png"),
        ("", "song.flac", "audio/flac"),
        ("application/octet-stream", "photo.jpeg", "image/jpeg"),
        ("not a type", "noten.pdf", "application/pdf"),
        (None, "album.tar.gz", "application/octet-stream"),
        (None, "README", "application/octet-stream"),
        ("text/html\r\nx: y", "x", "application/octet-stream"),
        (None, "пластинка.mp3", "audio/mpeg"),
    ],
)
def test_a_file_is_what_its_sender_says_or_what_its_name_ends_in(
    given_type: str | None, filename: str, expected: str
) -> None:
    assert media_type(given_type, filename) == expected


def test_types_are_let_in_one_by_one_or_in_kinds() -> None:
    assert is_among((), "image/png")
    assert is_among(("audio/*", "image/png"), "image/png")
    assert is_among(("audio/*",), "audio/flac")
    assert not is_among(("audio/*", "image/png"), "image/jpeg")


def test_fields_of_a_form_are_texts_and_blank_ones_are_none() -> None:
    said = {"display_name": " Album ", "description": "", "is_primary": "True", "file": "", "uid": "x", "size": "1"}
    assert form.parse(said) == ({"display_name": "Album", "description": None, "is_primary": True}, {})
    assert form.parse({"is_primary": "0"}).values == form.parse({"is_primary": ""}).values == {"is_primary": False}
    assert form.parse({"is_primary": "perhaps", "display_name": "x" * 256}).errors == {
        "is_primary": ["Must be a valid boolean."],
        "display_name": ["Ensure this field has no more than 255 characters."],
    }
    assert form.parse({"colour": "red"}).errors == {}
    assert form.parse({"colour": "red", "uid": "x"}, strict=True).errors == {"colour": ["Unknown field."]}


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"size": 0}, "Ensure this value is greater than or equal to 1."),
        ({"size": True}, "A valid integer is required."),
        ({"size": "12"}, "A valid integer is required."),
        ({"size": 6 * 1024**4}, f"Ensure this value is less than or equal to {5 * 1024**4}."),
        ({"sha256": "abc"}, "Expected 64 hexadecimal digits."),
        ({"sha256": "١" * 64}, "Expected 64 hexadecimal digits."),
    ],
)
def test_an_upload_names_its_size_and_perhaps_its_digest(said: dict[str, Any], wrong: str) -> None:
    body = {"filename": "album.zip", "size": 1, **said}
    assert form.UPLOAD.parse(body).errors == {next(iter(said)): [wrong]}
    assert form.UPLOAD.parse({"filename": "a", "size": 5, "sha256": "AB" * 32}).values["sha256"] == "ab" * 32

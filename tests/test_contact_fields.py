from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema_rs
import pytest

from commands.mail_address import address_key, deliverable
from domain.contact_fields import EmailAddress
from domain.fields import FieldError
from domain.number_fields import Moment, Whole
from tests.test_fields import refusal

ADDRESS, WHOLE, MOMENT = EmailAddress(), Whole(minimum=1, maximum=100), Moment()


@pytest.mark.parametrize(
    "raw",
    [
        "a@b.co",
        "Ana.Sousa+shop@Example.COM",
        "o'neil/x=1!#$%&*^_`{|}~-?@a-b.example.co.uk",
        "info@bücher.example",
        "pochta@пример.рф",
        "a" * 64 + "@example.com",
    ],
)
def test_an_address_is_taken_as_it_is(raw: str) -> None:
    assert ADDRESS.parse(f" {raw}\n") == raw
    assert jsonschema_rs.is_valid(ADDRESS.schema(), raw)


@pytest.mark.parametrize(
    "raw",
    [
        "nobody",
        "@example.com",
        "a@",
        "a@localhost",
        "a@b",
        "a@b.c",
        "a@-b.com",
        "a@b-.com",
        "a@b..com",
        ".a@b.com",
        "a.@b.com",
        "a..b@c.com",
        "a b@c.com",
        '"a b"@c.com',
        "a@b.com, c@d.com",
        "a@b.com\nBcc: c@d.com",
        "Ana <a@b.com>",
        "a@[127.0.0.1]",
        "a@b@c.com",
        "ä@b.com",
        "a" * 65 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused(raw: str) -> None:
    assert refusal(ADDRESS, raw) == ["Enter a valid email address."]
    assert not jsonschema_rs.is_valid(ADDRESS.schema(), raw)


def test_an_address_is_short_and_some_text() -> None:
    assert refusal(ADDRESS, "a@" + "b" * 60 + ".c" * 100 + ".com") == [
        "Ensure this field has no more than 254 characters."
    ]
    assert refusal(ADDRESS, "  ") == ["This field may not be blank."]
    assert refusal(ADDRESS, 7) == ["Not a valid string."]


@pytest.mark.parametrize(
    ("address", "ascii"),
    [
        ("A@Example.COM", "A@example.com"),
        ("a@Bücher.example", "a@xn--bcher-kva.example"),
        ("a@straße.de", "a@xn--strae-oqa.de"),
        ("a@ｅｘａｍｐｌｅ.com", "a@example.com"),
    ],
)
def test_a_domain_has_an_ascii_form(address: str, ascii: str) -> None:
    assert deliverable(address) == ascii
    assert address_key(address.upper()) == address_key(ascii) or "ß" in address


@pytest.mark.parametrize("address", ["a@\u3164.de", "a@ä-.de", "a@" + "ä" * 63 + ".de"])
def test_a_domain_that_has_none_is_refused(address: str) -> None:
    with pytest.raises(FieldError):
        deliverable(address)
    assert address_key(address) == address


@pytest.mark.parametrize(("raw", "number"), [(1, 1), (100, 100), (5.0, 5)])
def test_whole_numbers_are_taken(raw: Any, number: int) -> None:
    assert WHOLE.parse(raw) == number
    assert isinstance(WHOLE.parse(raw), int)
    assert jsonschema_rs.is_valid(WHOLE.schema(), raw)


@pytest.mark.parametrize("raw", [True, "5", 1.5, float("inf"), 1e400, [], {}, "x"])
def test_what_is_no_whole_number_is_refused(raw: Any) -> None:
    assert refusal(WHOLE, raw) == ["A valid integer is required."]


def test_numbers_out_of_bounds_are_refused() -> None:
    assert refusal(WHOLE, 0) == ["Ensure this value is greater than or equal to 1."]
    assert refusal(WHOLE, 10**400) == ["Ensure this value is less than or equal to 100."]


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2030-01-15T10:30:00Z", datetime(2030, 1, 15, 10, 30, tzinfo=UTC)),
        ("2030-01-15t10:30:00z", datetime(2030, 1, 15, 10, 30, tzinfo=UTC)),
        ("2030-01-15T10:30+02:00", datetime(2030, 1, 15, 10, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("2030-01-15 10:30:00.123456789-05:30", datetime(2030, 1, 15, 16, 0, 0, 123456, tzinfo=UTC)),
        ("2030-01-15T10:30:00.5Z", datetime(2030, 1, 15, 10, 30, 0, 500000, tzinfo=UTC)),
    ],
)
def test_moments_are_taken_in_utc(raw: str, moment: datetime) -> None:
    assert MOMENT.parse(raw) == moment
    assert MOMENT.parse(raw).utcoffset() == timedelta()


@pytest.mark.parametrize(
    "raw",
    ["", "soon", "2030-01-15", "2030-01-15T10:30:00", "2030-02-30T10:30:00Z", "2030-01-15T25:00:00Z", 1900000000,
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2030-01-15T10:30:00+99:00", "２030-01-15T10:30:00Z"],
)  # fmt: skip
def test_what_is_no_moment_is_refused(raw: Any) -> None:
    [message] = refusal(MOMENT, raw)
    assert message.startswith("Datetime has wrong format.")

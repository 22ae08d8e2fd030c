import contextlib
import time
from decimal import Decimal
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.fields import Boolean, Choice, Field, FieldError, ListOf, Text
from domain.reference_fields import KnownReference, Reference, Url
from domain.special_fields import JsonObject, Money, Year

TITLE = Text(max_length=255)
TAGS = ListOf(item=Text(max_length=5, blank=False), max_items=3, unique=True)
KIND = Choice(choices={"nft": "NFT"})


def refusal(field: Field, raw: Any) -> Any:
    with pytest.raises(FieldError) as caught:
        field.parse(raw)
    return caught.value.messages


@pytest.mark.parametrize("raw", [0, 1.5, True, [], {}, b"x"])
def test_only_strings_are_strings(raw: Any) -> None:
    assert refusal(TITLE, raw) == ["Not a valid string."]


def test_text_is_trimmed_and_in_nfc() -> None:
    assert TITLE.parse(" Cafe\u0301 \n") == "Caf\u00e9"
    assert Text(max_length=9, trimmed=False).parse(" a\n") == " a\n"
    assert Text(max_length=9, folded=True).parse("  a \t\n b ") == "a b"


def test_the_length_is_that_of_what_is_kept() -> None:
    assert len(TITLE.parse(" " * 300 + "e\u0301" * 255)) == 255
    assert refusal(TITLE, "x" * 256) == ["Ensure this field has no more than 255 characters."]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("a\0b", "Null characters are not allowed."),
        ("a\ud800b", "Surrogate characters are not allowed: U+D800."),
        ("a" + "\u0301" * 300, "Too many combining marks in a row."),
    ],
)
def test_what_no_text_holds_is_refused(raw: str, message: str) -> None:
    assert refusal(TITLE, raw) == [message]
    assert refusal(JsonObject(), {"a": [raw]}) == [message]
    assert refusal(JsonObject(), {raw: 1}) == [message]


def test_null_and_blank_are_refused_unless_they_are_values() -> None:
    assert refusal(TITLE, None) == ["This field may not be null."]
    assert Text(max_length=5, nullable=True).parse(None) is None
    assert refusal(Text(max_length=5, blank=False), " \t ") == ["This field may not be blank."]


@pytest.mark.parametrize("raw", [1, 0, "true", None, []])
def test_only_true_and_false_are_booleans(raw: Any) -> None:
    expected = "This field may not be null." if raw is None else "Must be a valid boolean."
    assert refusal(Boolean(), raw) == [expected]
    assert Boolean().parse(True) is True


def test_a_choice_is_one_of_its_values() -> None:
    assert KIND.parse("nft") == "nft"
    assert refusal(KIND, "NFT") == ['"NFT" is not a valid choice.']
    assert refusal(KIND, "") == ['"" is not a valid choice.']
    assert refusal(KIND, 5) == ['"5" is not a valid choice.']
    [message] = refusal(KIND, "x" * 10_000)
    assert len(message) < 200


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        ("29.99", "29.99"),
        (29.99, "29.99"),
        (30, "30.00"),
        (0.1 + 0.2, "0.30"),
        (" 5 ", "5.00"),
        ("1e2", "100.00"),
        ("9999999999.99", "9999999999.99"),
        (9999999999.99, "9999999999.99"),
        ("0.01", "0.01"),
        ("+7", "7.00"),
    ],
)
def test_money_is_a_string_or_a_number(raw: Any, amount: str) -> None:
    assert str(Money().parse(raw)) == amount


@pytest.mark.parametrize(
    "raw", ["", "NaN", "sNaN", "Infinity", "-Infinity", "٣", "1_000", "1,5", "abc", "0x10", True, [], {}, "1e99999"]
)
def test_what_is_no_number_is_no_money(raw: Any) -> None:
    assert refusal(Money(), raw) == ["A valid number is required."]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("0", "Ensure this value is greater than 0."),
        (-1, "Ensure this value is greater than 0."),
        ("0.00", "Ensure this value is greater than 0."),
        ("1.999", "Ensure that there are no more than 2 decimal places."),
        (29.999, "Ensure that there are no more than 2 decimal places."),
        ("12345678901", "Ensure that there are no more than 10 digits before the decimal point."),
        ("1234567890123", "Ensure that there are no more than 12 digits in total."),
        ("1e400", "Ensure that there are no more than 12 digits in total."),
        ("1e-9999", "Ensure that there are no more than 12 digits in total."),
        (1e300, "Ensure that there are no more than 12 digits in total."),
    ],
)
def test_money_has_bounds(raw: Any, message: str) -> None:
    assert refusal(Money(), raw) == [message]


@pytest.mark.parametrize(
    "raw",
    ["9" * 5000, 10**5000, "0." + "1" * 5000, "1e" + "9" * 5000, 10**100_000],
    ids=["string", "integer", "places", "exponent", "long integer"],
)
def test_a_bomb_of_digits_is_refused_at_once(raw: Any) -> None:
    started = time.perf_counter()
    refusal(Money(), raw)
    assert time.perf_counter() - started < 0.05


def test_a_year_is_a_real_date_as_it_was_given() -> None:
    for given_year in ("1969", "1969-09-26", "2000-02-29", "0001"):
        assert Year().parse(given_year) == given_year
    for wrong in ("69", "0000", "1969-02-30", "1969-9-26", "1900-02-29", "١٩٦٩", 1969, "", "1969-09", "19690926"):
        [message] = refusal(Year(), wrong)
        assert message == "Date has wrong format. Use one of these formats instead: YYYY, YYYY-MM-DD."


def test_a_list_says_which_items_are_wrong() -> None:
    assert refusal(TAGS, "a") == ['Expected a list of items but got type "str".']
    assert refusal(TAGS, ["ok", "toolong", 5, None, " "]) == {
        "1": ["Ensure this field has no more than 5 characters."],
        "2": ["Not a valid string."],
        "3": ["This field may not be null."],
        "4": ["This field may not be blank."],
    }


def test_tags_that_differ_in_case_are_one_and_the_order_is_kept() -> None:
    assert TAGS.parse(["b", "A", "B", "a", "c"]) == ("b", "A", "c")
    assert TAGS.parse(["b", "A", "c", "B"]) == ("b", "A", "c")
    assert refusal(TAGS, list("abcd")) == ["Ensure this field has no more than 3 elements."]


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_a_json_object_has_a_depth_and_a_size() -> None:
    assert JsonObject().parse(nested(32)) == nested(32)
    assert refusal(JsonObject(), nested(33)) == ["Ensure this field is not nested deeper than 32 levels."]
    fits = {"a": "x" * (65536 - 8)}
    assert len(msgspec.json.encode(fits)) == 65536
    assert JsonObject().parse(fits) == fits
    assert refusal(JsonObject(), {"a": fits["a"] + "x"}) == ["Ensure this field has no more than 65536 bytes."]
    assert refusal(JsonObject(), [1]) == ['Expected a dictionary of items but got type "list".']


REFERENCES = [Url(), Reference(prefix="prod_"), KnownReference(known={"plat_ebay": "eBay"})]
FIELDS = [TITLE, TAGS, KIND, Boolean(nullable=True), Money(nullable=True), Year(), JsonObject(), *REFERENCES]


ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@given(st.sampled_from(FIELDS), ANYTHING)
def test_whatever_is_sent_is_a_value_or_a_message(field: Field, raw: Any) -> None:
    with contextlib.suppress(FieldError):
        field.parse(raw)


@given(st.integers(min_value=1, max_value=10**12 - 1))
def test_every_amount_of_cents_is_taken_as_number_and_as_string(cents: int) -> None:
    amount = Decimal(cents).scaleb(-2)
    assert Money().parse(str(amount)) == Money().parse(float(amount)) == amount
    assert jsonschema_rs.is_valid(Money().schema(), str(amount))

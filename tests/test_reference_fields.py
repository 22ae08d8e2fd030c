from uuid import UUID

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import ids
from domain.platforms import PLATFORM
from domain.reference_fields import KnownReference, Reference, Url
from tests.test_fields import refusal

URL, LINK = Url(), Url(nullable=True)
PRODUCT, SHOP = Reference(prefix=ids.PRODUCT), KnownReference(known=PLATFORM)


@pytest.mark.parametrize(
    "raw",
    [
        "https://ebay.com/itm/394857201",
        "HTTP://EBAY.COM",
        "http://localhost:8000/a.jpg",
        "http://127.0.0.1/a?b=c&d=%20#e",
        "https://плёнка.рф/каталог/1",
        "https://i.ebayimg.com?x",
        "https://a-b.example.co.uk/" + "x" * 1900,
    ],
)
def test_an_http_address_is_taken_as_it_is(raw: str) -> None:
    assert URL.parse(f" {raw}\n") == raw
    assert jsonschema_rs.is_valid(URL.schema(), raw)


@pytest.mark.parametrize(
    "raw",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "ftp://example.com/a",
        "//example.com/a",
        "example.com",
        "http://",
        "http:///a",
        "http://shop/a",
        "http://.com",
        "http://a..com",
        "http://-a.com",
        "http://a-.com",
        "http://user:secret@example.com/",
        "http://example.com:port/",
        "http://example.com/a b",
        "http://example.com/a\nb",
        "http://example.com/\u2028b",
        "http://exam\u3000ple.com/",
        "http://example.com\\@evil.com/",
        "http://" + "a" * 64 + ".com",
        "https://" + "a." * 900 + "-",
    ],
)
def test_what_is_no_http_address_is_refused(raw: str) -> None:
    assert refusal(URL, raw) == ["Enter a valid URL."]
    assert not jsonschema_rs.is_valid(URL.schema(), raw)


def test_an_address_has_a_length_and_is_a_text() -> None:
    assert refusal(URL, "https://a.com/" + "x" * 2000) == ["Ensure this field has no more than 2000 characters."]
    assert refusal(URL, 5) == ["Not a valid string."]
    assert refusal(URL, "https://a.com/\0") == ["Null characters are not allowed."]
    assert refusal(URL, "") == ["Enter a valid URL."]


def test_a_blank_address_is_none_where_there_need_not_be_one() -> None:
    assert LINK.parse(" ") is LINK.parse(None) is None
    assert jsonschema_rs.is_valid(LINK.schema(), None)
    assert refusal(URL, None) == ["This field may not be null."]


def test_a_reference_is_the_id_behind_a_uid() -> None:
    id = UUID("01a20000-0000-7000-8000-0000000000aa")
    assert PRODUCT.parse(ids.uid(ids.PRODUCT, id)) == id
    for wrong in ("prod_x", "inv_" + ids.uid("", id), "prod_", "prod_" + "v" * 26):
        assert refusal(PRODUCT, wrong) == [f"Object with uid={wrong} does not exist."]
        assert not jsonschema_rs.is_valid(PRODUCT.schema(), wrong)
    assert refusal(PRODUCT, "") == refusal(SHOP, "") == ["This field may not be blank."]
    assert refusal(PRODUCT, 7) == refusal(SHOP, {}) == ["Not a valid string."]


def test_a_message_repeats_no_more_of_a_uid_than_is_read() -> None:
    [message] = refusal(SHOP, "x" * 100_000)
    assert len(message) < 200


def test_a_known_reference_is_one_of_a_few_uids() -> None:
    assert SHOP.parse("plat_ebay") == "plat_ebay"
    assert refusal(SHOP, "plat_Ebay") == ["Object with uid=plat_Ebay does not exist."]


@given(st.uuids())
def test_every_uid_is_what_the_schema_says(id: UUID) -> None:
    assert jsonschema_rs.is_valid(PRODUCT.schema(), ids.uid(ids.PRODUCT, id))


@given(st.from_regex(URL.schema()["pattern"]))
def test_every_address_that_the_schema_allows_is_taken(raw: str) -> None:
    if len(raw) <= 2000:
        URL.parse(raw)

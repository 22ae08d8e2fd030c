from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.choices import PRESENCE_STATUSES
from domain.currencies import CURRENCIES
from domain.event import DomainEvent
from domain.platforms import PLATFORM
from domain.presence import presence as presences
from domain.presence.events import PresenceCreated, PresenceDeleted, PresenceRepriced, PresenceRevised
from domain.presence.form import CREATE, REVISE
from domain.presence.presence import Presence, fold
from domain.presence.prices import UNPRICED, Prices, Rating, converted, revised
from domain.rates import Rate
from domain.vocabulary import EVENTS
from tests.scenario import NOW, STAMP, scenario

ID, PRODUCT = UUID("01a20000-0000-7000-8000-0000000000bb"), UUID("01a20000-0000-7000-8000-0000000000aa")
VALUES = {"platform_uid": "plat_ebay", "status": "draft", "listing_currency": "USD"}
LATER = STAMP._replace(timestamp=NOW + timedelta(days=1), actor="system")
TEN, TWELVE = Decimal("10.00"), Decimal("12.00")

given = scenario(presences.evolve)


TODAY = NOW.date()


def rating(per_euro: str, usd_per_euro: str, age_days: int = 0) -> Rating:
    day = TODAY - timedelta(days=age_days)
    return Rating(Rate(day, Decimal(per_euro), Decimal(usd_per_euro)), TODAY, 7)


def created(**values: Any) -> PresenceCreated:
    return presences.create(ID, PRODUCT, 7, {**VALUES, **values}, STAMP)


def presence(*events: DomainEvent) -> Presence:
    found = fold(events)
    assert found is not None
    return found


def test_a_new_presence_has_what_it_was_created_with_and_no_price() -> None:
    found = presence(created())
    assert (found.id, found.product, found.number, found.version) == (ID, PRODUCT, 7, 1)
    assert (found.platform_uid, found.status, found.is_selling_enabled) == ("plat_ebay", "draft", False)
    assert found.prices == UNPRICED
    assert (found.created, found.updated, found.price_last_updated, found.last_checked_at) == (NOW, NOW, None, None)


def test_a_price_given_at_first_was_last_updated_then() -> None:
    assert presence(created(listing_price_usd=TEN)).price_last_updated == NOW


def test_a_revision_records_only_the_fields_that_change_and_leaves_the_price_its_time() -> None:
    values = {"status": "active", "external_url": None, "platform_uid": "plat_discogs", "listing_price": TEN}
    when = given(created(listing_price=TEN)).when(lambda p: presences.revise(p, values, LATER))
    when.then(
        PresenceRevised,
        status="active",
        platform_uid="plat_discogs",
        updated=LATER.timestamp,
        price_last_updated=NOW,
        version=2,
    )
    assert msgspec.to_builtins(when.events[0]).keys() & values.keys() == {"status", "platform_uid"}


def test_a_revision_to_what_holds_already_records_nothing() -> None:
    values = {"status": "draft", "listing_currency": "USD", "listing_price": None, "is_selling_enabled": False}
    given(created()).when(lambda p: presences.revise(p, values, LATER)).then(version=1)


def test_a_new_price_is_an_event_of_its_own_and_moves_its_time() -> None:
    values = {"status": "active", "listing_price": TWELVE}
    given(created(listing_price=TEN)).when(lambda p: presences.revise(p, values, LATER)).then(
        PresenceRevised,
        PresenceRepriced,
        version=3,
        listing_price=TWELVE,
        listing_price_usd=TWELVE,
        price_last_updated=LATER.timestamp,
    )


def test_a_price_that_is_cleared_was_last_updated_then() -> None:
    given(created(listing_price=TEN)).when(lambda p: presences.revise(p, {"listing_price": None}, LATER)).then(
        PresenceRepriced, listing_price=None, listing_price_usd=None, price_last_updated=LATER.timestamp
    )


def test_another_currency_of_no_price_is_no_news_of_a_price() -> None:
    given(created()).when(lambda p: presences.revise(p, {"listing_currency": "EUR"}, LATER)).then(
        PresenceRepriced, listing_currency="EUR", price_last_updated=None
    )


def test_a_deleted_presence_has_no_state() -> None:
    assert given(created()).when(lambda p: presences.delete(p, LATER)).then(PresenceDeleted) is None


def test_a_presence_without_a_listing_id_claims_no_listing() -> None:
    assert presence(created()).listing is presence(created(external_listing_id="")).listing is None
    assert presence(created(external_listing_id="39")).listing == f"{PRODUCT}:plat_ebay:39"


IN_USD, IN_EUR = Prices(TEN, "USD", TEN), Prices(TEN, "EUR", TWELVE)


@pytest.mark.parametrize(
    ("before", "sent", "after"),
    [
        (UNPRICED, {"listing_price": TEN}, (TEN, "USD", TEN)),
        (UNPRICED, {"listing_price_usd": TEN}, (TEN, "USD", TEN)),
        (UNPRICED, {"listing_price": None, "listing_price_usd": TEN}, (TEN, "USD", TEN)),
        (UNPRICED, {"listing_price": TEN, "listing_price_usd": TWELVE}, (TEN, "USD", TEN)),
        (IN_USD, {"listing_price": TWELVE}, (TWELVE, "USD", TWELVE)),
        (IN_USD, {"listing_price_usd": TWELVE}, (TWELVE, "USD", TWELVE)),
        (IN_USD, {"listing_price": TWELVE, "listing_price_usd": TEN}, (TWELVE, "USD", TWELVE)),
        (IN_USD, {"listing_price": TEN, "listing_price_usd": TWELVE}, (TWELVE, "USD", TWELVE)),
        (IN_USD, {"listing_price": None}, (None, "USD", None)),
        (IN_USD, {"listing_price_usd": None}, (None, "USD", None)),
        (IN_EUR, {"listing_currency": "USD"}, (TEN, "USD", TEN)),
        (Prices(None, "EUR", TEN), {"listing_currency": "USD"}, (TEN, "USD", TEN)),
        (IN_EUR, {"listing_currency": "USD", "listing_price_usd": Decimal(13)}, (Decimal(13), "USD", Decimal(13))),
    ],
)
def test_in_usd_both_are_one_price_and_the_one_that_is_news_counts(
    before: Prices, sent: dict[str, Any], after: tuple[Any, ...]
) -> None:
    assert revised(before, sent) == Prices(*after)


@pytest.mark.parametrize(
    ("before", "sent", "after"),
    [
        (UNPRICED, {"listing_currency": "EUR", "listing_price": TEN}, (TEN, "EUR", None)),
        (
            UNPRICED,
            {"listing_currency": "EUR", "listing_price": TEN, "listing_price_usd": TWELVE},
            (TEN, "EUR", TWELVE),
        ),
        (UNPRICED, {"listing_currency": "EUR", "listing_price_usd": TWELVE}, (None, "EUR", TWELVE)),
        (IN_EUR, {"listing_price": TEN, "listing_price_usd": TWELVE}, (TEN, "EUR", TWELVE)),
        (IN_EUR, {"listing_price": TWELVE, "listing_price_usd": TWELVE}, (TWELVE, "EUR", TWELVE)),
        (IN_EUR, {"listing_price": TWELVE}, (TWELVE, "EUR", None)),
        (IN_EUR, {"listing_currency": "GBP"}, (TEN, "GBP", None)),
        (IN_USD, {"listing_currency": "EUR"}, (TEN, "EUR", None)),
    ],
)
def test_in_another_currency_the_price_in_usd_is_what_is_given_and_otherwise_unknown(
    before: Prices, sent: dict[str, Any], after: tuple[Any, ...]
) -> None:
    assert revised(before, sent) == Prices(*after)


@pytest.mark.parametrize(
    ("sent", "in_usd"),
    [
        ({"listing_price": TEN}, "10.87"),
        ({"listing_price": TEN, "listing_price_usd": None}, "10.87"),
        ({"listing_price": TEN, "listing_price_usd": TWELVE}, "12.00"),
        ({"listing_price": Decimal("0.01")}, "0.01"),
        ({"listing_price": None}, None),
    ],
)
def test_with_a_rate_the_price_in_usd_is_computed_where_it_is_not_given(
    sent: dict[str, Any], in_usd: str | None
) -> None:
    prices = revised(UNPRICED, {"listing_currency": "EUR", **sent}, rating("1", "1.0874"))
    assert prices.listing_price_usd == (None if in_usd is None else Decimal(in_usd))


def test_a_price_that_no_field_holds_in_usd_is_unknown_in_it() -> None:
    for price, usd_per_euro in ((Decimal("9999999999.99"), "3.25"), (Decimal("0.01"), "0.0001")):
        sent = {"listing_currency": "KWD", "listing_price": price}
        prices = revised(UNPRICED, sent, rating("1", usd_per_euro))
        assert prices == Prices(price, "KWD", None)
        assert prices.usd_status == "unknown"


def test_what_is_computed_keeps_the_day_of_its_rate() -> None:
    prices = revised(UNPRICED, {"listing_currency": "JPY", "listing_price": Decimal(2000)}, rating("149.63", "1.0735"))
    assert prices == Prices(Decimal(2000), "JPY", Decimal("14.35"), TODAY)
    assert prices.usd_status == "converted"


def test_a_rate_past_its_age_makes_no_price_but_is_seen_to_be_stale() -> None:
    sent = {"listing_currency": "EUR", "listing_price": TEN}
    on_the_last_day = revised(UNPRICED, sent, rating("1", "1.1", age_days=7))
    assert (on_the_last_day.listing_price_usd, on_the_last_day.usd_status) == (Decimal("11.00"), "converted")
    a_day_later = revised(UNPRICED, sent, rating("1", "1.1", age_days=8))
    assert (a_day_later.listing_price_usd, a_day_later.usd_status) == (None, "stale")
    assert a_day_later.usd_rate_date == TODAY - timedelta(days=8)


def test_a_computed_price_that_comes_back_beside_a_new_one_is_computed_anew() -> None:
    before = Prices(TEN, "EUR", Decimal("10.87"), TODAY)
    echoed = {"listing_price": TWELVE, "listing_price_usd": Decimal("10.87")}
    assert revised(before, echoed, rating("1", "1.1")) == Prices(TWELVE, "EUR", Decimal("13.20"), TODAY)
    assert revised(before, {"listing_price_usd": TWELVE}, rating("1", "1.1")) == Prices(TEN, "EUR", TWELVE)


def test_only_a_computed_price_follows_the_rate_and_is_no_new_price_where_it_comes_to_the_same() -> None:
    euros = {"listing_currency": "EUR", "listing_price": TEN}
    first = presences.create(ID, PRODUCT, 7, {**VALUES, **euros}, STAMP, rating("1", "1.1", age_days=3))
    given(first).when(lambda p: presences.reconvert(p, LATER, rating("1", "1.2"))).then(
        PresenceRepriced, listing_price_usd=TWELVE, usd_rate_date=TODAY, price_last_updated=LATER.timestamp
    )
    given(first).when(lambda p: presences.reconvert(p, LATER, rating("1", "1.1"))).then(
        PresenceRepriced, listing_price_usd=Decimal("11.00"), usd_rate_date=TODAY, price_last_updated=NOW
    )
    given(first).when(lambda p: presences.reconvert(p, LATER, rating("1", "1.1", age_days=3))).then()
    told = created(**euros, listing_price_usd=TWELVE)
    given(told).when(lambda p: presences.reconvert(p, LATER, rating("1", "9"))).then()
    given(created(listing_price=TEN)).when(lambda p: presences.reconvert(p, LATER, rating("1", "9"))).then()


def test_without_any_rate_the_price_in_usd_is_unknown() -> None:
    nothing = Rating(None, TODAY, 7)
    assert converted(Prices(TEN, "AED", None), nothing) == Prices(TEN, "AED", None)


_price = st.none() | st.sampled_from([TEN, TWELVE, Decimal("0.01")])
_sent: dict[str, st.SearchStrategy[Any]] = {
    "platform_uid": st.sampled_from([*PLATFORM]),
    "external_listing_id": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "external_url": st.none() | st.just("https://ebay.com/itm/1"),
    "status": st.sampled_from([*PRESENCE_STATUSES]),
    "is_selling_enabled": st.booleans(),
    "listing_price": _price,
    "listing_currency": st.sampled_from(["USD", "EUR", "JPY"]),
    "listing_price_usd": _price,
}


@for_all(st.lists(st.fixed_dictionaries({}, optional=_sent), max_size=8))
def test_whatever_the_revisions_the_log_folds_to_what_was_sent_and_the_prices_that_follow(
    revisions: list[dict[str, Any]],
) -> None:
    events: list[DomainEvent] = [created()]
    plain: dict[str, Any] = {name: getattr(presence(*events), name) for name in _sent.keys() - {*Prices._fields}}
    prices, priced_at = UNPRICED, None
    for day, sent in enumerate(revisions, start=1):
        stamp = STAMP._replace(timestamp=NOW + timedelta(days=day))
        events.extend(presences.revise(presence(*events), sent, stamp))
        plain.update({name: value for name, value in sent.items() if name in plain})
        moved = revised(prices, sent)
        if moved != prices and (moved.known or prices.known):
            priced_at = stamp.timestamp
        prices = moved
    stored = [(event.TOPIC, msgspec.json.encode(event)) for event in events]
    loaded = presence(*(msgspec.json.decode(body, type=EVENTS[topic]) for topic, body in stored))
    assert {name: getattr(loaded, name) for name in plain} == plain
    assert loaded.prices == prices
    assert loaded.price_last_updated == priced_at
    assert prices.listing_currency != "USD" or prices.listing_price == prices.listing_price_usd
    assert [event.originator_version for event in events] == list(range(1, loaded.version + 1))


def test_a_platform_alone_makes_a_draft_in_usd() -> None:
    assert CREATE.parse({"platform_uid": "plat_ebay"}) == (VALUES, {})
    assert REVISE.parse({}) == ({}, {})
    assert CREATE.parse({}).errors == {"platform_uid": ["This field is required."]}


def test_values_are_named_as_the_event_names_them() -> None:
    assert CREATE.fields.keys() <= set(PresenceCreated.__struct_fields__)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("platform_uid", "plat_x", "Object with uid=plat_x does not exist."),
        ("platform_uid", "", "This field may not be blank."),
        ("platform_uid", None, "This field may not be null."),
        ("platform_uid", 5, "Not a valid string."),
        ("status", "live", '"live" is not a valid choice.'),
        ("listing_currency", "usd", '"usd" is not a valid choice.'),
        ("listing_currency", "XXX", '"XXX" is not a valid choice.'),
        ("listing_currency", None, "This field may not be null."),
        ("listing_price", "0", "Ensure this value is greater than 0."),
        ("listing_price_usd", "1.001", "Ensure that there are no more than 2 decimal places."),
        ("listing_price", "NaN", "A valid number is required."),
        ("external_listing_id", "x" * 256, "Ensure this field has no more than 255 characters."),
        ("external_url", "javascript:alert(1)", "Enter a valid URL."),
        ("image_url", "ftp://example.com/a.jpg", "Enter a valid URL."),
        ("is_selling_enabled", "yes", "Must be a valid boolean."),
    ],
)
def test_what_is_refused_is_refused_alike_on_create_and_revise(field: str, value: Any, message: str) -> None:
    body = {"platform_uid": "plat_ebay", field: value}
    assert CREATE.parse(body).errors == REVISE.parse(body).errors == {field: [message]}


def test_what_was_answered_may_be_sent_back_even_to_a_strict_server() -> None:
    answered = {
        "id": 1,
        "platform": {"uid": "plat_ebay", "name": "eBay", "slug": "ebay"},
        "external_listing_id": "394857201",
        "external_url": "https://ebay.com/itm/394857201",
        "image_url": None,
        "status": "active",
        "listing_price": "34.99",
        "listing_currency": "USD",
        "listing_price_usd": "34.99",
        "is_selling_enabled": True,
        "price_last_updated": "2025-02-10T14:22:00Z",
        "last_checked_at": None,
        "created_at": "2025-01-20T08:00:00Z",
        "updated_at": "2025-02-10T14:22:00Z",
    }
    assert REVISE.parse(answered, strict=True).errors == {}


def test_every_currency_is_a_code_of_three_letters_and_the_great_ones_are_there() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
    assert {"USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "SEK", "XOF", "ZAR"} < CURRENCIES.keys()
    assert len(CURRENCIES) > 170

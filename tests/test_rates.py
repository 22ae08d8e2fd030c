from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.presence import CreatePresence, DeletePresence
from commands.product import CreateProduct, DeleteProduct
from commands.settings import Settings
from commands.store import Store
from commands.web import Unreachable, Unreadable, Web
from commands.work import Context
from domain.currencies import CURRENCIES, MINOR_UNITS
from domain.presence import presence as presences
from domain.presence.form import CREATE
from domain.presence.presence import Presence
from domain.rates import Implausible, Rate, day_rates, to_minor_unit, usable
from projections.inline import inline_projections
from projections.rates import Rates
from tests.clients import create, create_presence, presences_of
from tests.scenario import ORGANIZATION
from workers.rates import RatesWork, Refused, ecb, frankfurter

TODAY = datetime.now(UTC).date()
CONTEXT = Context(ORGANIZATION, "key_1", "request-1")
ECB_FORM = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
\t<gesmes:subject>Reference rates</gesmes:subject>
\t<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
\t<Cube>{days}</Cube>
</gesmes:Envelope>"""


def ecb_xml(day: date, quote: str = "'", **rates: str) -> bytes:
    cubes = "".join(f"<Cube currency={quote}{code}{quote} rate={quote}{rate}{quote}/>" for code, rate in rates.items())
    return ECB_FORM.format(days=f"<Cube time={quote}{day.isoformat()}{quote}>{cubes}</Cube>").encode()


class Source:
    """A server on loopback: `answers` are status and body by path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []

    @property
    def ecb(self) -> str:
        return f"{self.url}/daily.xml"


@contextmanager
def served() -> Iterator[Source]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append(self.path)
            status, body = here.answers.get(self.path, (404, b'{"message":"not found"}'))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Source(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def source() -> Iterator[Source]:
    with served() as found:
        yield found


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(answer_seconds=2.0) as found:
        yield found


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    found = Store(database_url, inline_projections(), pool_size=2)
    yield found
    found.close()


def at_source(settings: Settings, source: Source) -> Settings:
    return replace(settings, rates_url=source.ecb, rates_fallback_url=source.url)


def test_an_amount_goes_to_usd_over_the_euro_and_is_rounded_once() -> None:
    rate = Rate(TODAY, Decimal("149.63"), Decimal("1.0735"))
    assert rate.in_usd(Decimal(2500)) == Decimal("17.94")
    assert Rate(TODAY, Decimal(1), Decimal("1.0735")).in_usd(Decimal("21.00")) == Decimal("22.54")


@given(st.decimals(min_value=1, max_value=10**9, places=2), st.decimals("0.5", "500", places=4))
def test_there_and_back_an_amount_is_off_by_no_more_than_its_rounding(amount: Decimal, per_euro: Decimal) -> None:
    there = Rate(TODAY, per_euro, Decimal("1.1")).in_usd(amount)
    if there is not None:
        back = there / Decimal("1.1") * per_euro
        assert abs(back - amount) <= Decimal("0.0051") / Decimal("1.1") * per_euro


def test_a_rate_is_usable_up_to_its_last_day() -> None:
    rate = Rate(TODAY - timedelta(days=7), Decimal(1), Decimal(1))
    assert usable(rate, TODAY, 7)
    assert not usable(rate, TODAY, 6)


@pytest.mark.parametrize(
    "per_euro", [{"GBP": "0.86"}, {"USD": "0"}, {"USD": "-1.1"}, {"USD": "NaN"}, {"USD": "1e30"}, {"USD": "Infinity"}]
)
def test_rates_that_are_none_are_refused(per_euro: dict[str, str]) -> None:
    with pytest.raises(Implausible):
        day_rates(TODAY, {code: Decimal(rate) for code, rate in per_euro.items()}, TODAY)


def test_rates_of_a_day_to_come_are_refused_and_unknown_currencies_left_out() -> None:
    with pytest.raises(Implausible):
        day_rates(TODAY + timedelta(days=2), {"USD": Decimal("1.1")}, TODAY)
    found = day_rates(TODAY, {"USD": Decimal("1.1"), "DEM": Decimal("1.95583")}, TODAY)
    assert found.per_euro == {"USD": Decimal("1.1"), "EUR": Decimal(1)}


def test_amounts_have_the_places_of_their_currency() -> None:
    assert MINOR_UNITS.keys() <= CURRENCIES.keys()
    for code, text in (("USD", "12.35"), ("JPY", "12"), ("KWD", "12.346"), ("CLF", "12.3457"), ("ISK", "12")):
        assert str(to_minor_unit(Decimal("12.34567"), code)) == text


@pytest.mark.parametrize("quote", ["'", '"'])
def test_the_central_banks_xml_is_read_with_its_namespaces_and_either_quotes(
    source: Source, web: Web, quote: str
) -> None:
    source.answers["/daily.xml"] = 200, ecb_xml(TODAY, quote, USD="1.0735", JPY="149.63")
    found = ecb(web, source.ecb, TODAY)
    assert found.day == TODAY
    assert found.per_euro == {"USD": Decimal("1.0735"), "JPY": Decimal("149.63"), "EUR": Decimal(1)}


def test_of_several_days_the_newest_counts(source: Source, web: Web) -> None:
    days = "".join(
        f"<Cube time='{day}'><Cube currency='USD' rate='{rate}'/></Cube>"
        for day, rate in (("2023-05-24", "1.1"), ("2023-05-25", "1.2"), ("2023-05-23", "1.3"))
    )
    source.answers["/daily.xml"] = 200, ECB_FORM.format(days=days).encode()
    assert ecb(web, source.ecb, TODAY).per_euro["USD"] == Decimal("1.2")


def test_frankfurters_numbers_are_read_exactly(source: Source, web: Web) -> None:
    body = b'{"amount":1.0,"base":"EUR","date":"2024-01-15","rates":{"USD":1.0945,"GBP":0.86135}}'
    source.answers["/v1/latest?base=EUR"] = 200, body
    found = frankfurter(web, source.url, TODAY)
    assert (found.day, found.per_euro["GBP"]) == (date(2024, 1, 15), Decimal("0.86135"))


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>Just a moment ...</html>", Unreadable),
        (200, b"<html><br></html>", Unreadable),
        (200, b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', Unreadable),
        (200, ECB_FORM.format(days="<Cube time='yesterday'/>").encode(), Unreadable),
        (200, ecb_xml(TODAY, USD="one"), Unreadable),
        (200, ecb_xml(TODAY, USD="NaN"), Implausible),
        (200, b"x" * (17 * 1024**2), Unreadable),
        (503, b"", Refused),
        (301, b"", Refused),
    ],
)
def test_what_is_no_list_of_rates_is_refused(
    source: Source, web: Web, status: int, body: bytes, error: type[Exception]
) -> None:
    source.answers["/daily.xml"] = status, body
    with pytest.raises(error):
        ecb(web, source.ecb, TODAY)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"base":"USD","date":"2024-01-15","rates":{"USD":1}}', b"\xff"])
def test_what_is_no_answer_of_frankfurters_is_refused(source: Source, web: Web, body: bytes) -> None:
    source.answers["/v1/latest?base=EUR"] = 200, body
    with pytest.raises(Unreadable):
        frankfurter(web, source.url, TODAY)


def test_where_nobody_answers_that_is_said(web: Web) -> None:
    with served() as gone:
        url = gone.ecb
    with pytest.raises(Unreachable):
        ecb(web, url, TODAY)


def test_rates_are_fetched_once_a_day_and_kept(settings: Settings, store: Store, source: Source) -> None:
    work = RatesWork(at_source(settings, source), Bus(store))
    source.answers["/daily.xml"] = 200, ecb_xml(TODAY, USD="1.10", GBP="0.88")
    work.fetch()
    work.fetch()
    assert source.asked == ["/daily.xml"]
    assert store.rate("GBP") == Rate(TODAY, Decimal("0.88"), Decimal("1.10"))
    assert store.rate("EUR") == Rate(TODAY, Decimal(1), Decimal("1.10"))
    assert store.rate("AED") is None


def test_where_the_central_bank_fails_the_fallback_is_asked(settings: Settings, store: Store, source: Source) -> None:
    source.answers["/daily.xml"] = 500, b"<html>"
    latest = f'{{"amount":1.0,"base":"EUR","date":"{TODAY}","rates":{{"USD":1.25}}}}'
    source.answers["/v1/latest?base=EUR"] = 200, latest.encode()
    RatesWork(at_source(settings, source), Bus(store)).fetch()
    assert store.rate("USD") == Rate(TODAY, Decimal("1.25"), Decimal("1.25"))


def test_where_both_fail_nothing_changes_and_the_next_look_tries_again(
    settings: Settings, store: Store, source: Source
) -> None:
    work = RatesWork(at_source(settings, source), Bus(store))
    work.fetch()
    assert store.rate("USD") is None
    source.answers["/daily.xml"] = 200, ecb_xml(TODAY, USD="1.10")
    work.fetch()
    assert store.rate("USD") is not None
    off = replace(settings, rates_url="off", rates_fallback_url="off")
    asked = len(source.asked)
    RatesWork(off, Bus(store)).fetch()
    assert len(source.asked) == asked


class Priced:
    """Presences of one product with prices in several currencies."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.bus = Bus(store)
        self.product: UUID = uuid7()
        self.bus.execute(CreateProduct(id=self.product, values={"title": "Abbey Road", "type": "physical"}), CONTEXT)

    def keep(self, day: date, **rates: str) -> None:
        with Rates(self.settings.database_url) as kept:
            kept.keep(day_rates(day, {code: Decimal(rate) for code, rate in rates.items()}, TODAY), "test")

    def add(self, **values: Any) -> UUID:
        id: UUID = uuid7()
        parsed = CREATE.parse({"platform_uid": "plat_discogs", **values})
        assert not parsed.errors
        self.bus.execute(CreatePresence(id=id, product=self.product, values=parsed.values), CONTEXT)
        return id

    def presence(self, id: UUID) -> Presence:
        found = self.store.load(id, presences.fold)
        assert found is not None
        return found

    def reconvert(self) -> int:
        return RatesWork(self.settings, self.bus).reconvert()


@pytest.fixture
def priced(settings: Settings, store: Store) -> Priced:
    return Priced(settings, store)


def test_a_price_that_no_rate_was_known_for_is_computed_once_one_is(priced: Priced) -> None:
    euros, dirhams = (priced.add(listing_currency=code, listing_price="20.00") for code in ("EUR", "AED"))
    given_price = priced.add(listing_currency="EUR", listing_price="20.00", listing_price_usd="19.00")
    priced.keep(TODAY, USD="1.10")
    assert priced.reconvert() == 1
    assert (priced.presence(euros).listing_price_usd, priced.presence(euros).usd_rate_date) == (Decimal("22.00"), TODAY)
    assert priced.presence(dirhams).prices.usd_status == "unknown"
    assert priced.presence(given_price).listing_price_usd == Decimal("19.00")
    assert priced.reconvert() == 0


def test_a_price_is_computed_anew_when_its_rate_is_too_old_and_not_before(priced: Priced) -> None:
    priced.keep(TODAY - timedelta(days=6), USD="1.10")
    id = priced.add(listing_currency="EUR", listing_price="20.00")
    priced.keep(TODAY, USD="1.20")
    assert priced.reconvert() == 0
    assert priced.presence(id).listing_price_usd == Decimal("22.00")
    priced.settings = replace(priced.settings, rate_max_age_days=5)
    priced.bus = Bus(priced.store, rate_max_age_days=5)
    assert priced.reconvert() == 1
    assert (priced.presence(id).listing_price_usd, priced.presence(id).usd_rate_date) == (Decimal("24.00"), TODAY)


def test_where_no_newer_rate_came_the_price_goes_and_says_stale_and_comes_back_with_the_next_rate(
    priced: Priced,
) -> None:
    old = TODAY - timedelta(days=6)
    priced.keep(old, USD="1.10")
    id = priced.add(listing_currency="EUR", listing_price="20.00")
    priced.settings = replace(priced.settings, rate_max_age_days=5)
    priced.bus = Bus(priced.store, rate_max_age_days=5)
    assert priced.reconvert() == 1
    found = priced.presence(id).prices
    assert (found.listing_price_usd, found.usd_status, found.usd_rate_date) == (None, "stale", old)
    assert priced.reconvert() == 0
    priced.keep(TODAY, USD="1.30")
    assert priced.reconvert() == 1
    assert priced.presence(id).listing_price_usd == Decimal("26.00")


@pytest.mark.parametrize("delete", ["presence", "product"])
def test_what_is_deleted_is_not_computed_anew(priced: Priced, delete: str) -> None:
    id = priced.add(listing_currency="EUR", listing_price="20.00")
    gone = DeletePresence(id, priced.product) if delete == "presence" else DeleteProduct(priced.product)
    priced.bus.execute(gone, CONTEXT)
    priced.keep(TODAY, USD="1.10")
    assert priced.reconvert() == 0


Keep = Callable[..., None]


@pytest.fixture
def keep(settings: Settings) -> Keep:
    def kept(day: date, **rates: str) -> None:
        with Rates(settings.database_url) as table:
            table.keep(day_rates(day, {code: Decimal(rate) for code, rate in rates.items()}, TODAY), "ecb")

    return kept


@pytest.mark.anyio
async def test_a_presence_in_another_currency_shows_its_price_in_usd_and_the_rates_day(
    api: httpx.AsyncClient, keep: Keep
) -> None:
    keep(TODAY, USD="1.0735", JPY="149.63")
    product = await create(api)
    yen = await create_presence(api, product, listing_currency="JPY", listing_price="2500.00", status="active")
    assert yen["listing_price_usd"] == "17.94"
    assert (yen["listing_price_usd_status"], yen["listing_price_usd_rate_date"]) == ("converted", TODAY.isoformat())
    dollars = await create_presence(api, product, listing_price="20.00", status="active")
    assert dollars.keys() == yen.keys() - {"listing_price_usd_status", "listing_price_usd_rate_date"}
    url = f"{presences_of(product)}{yen['id']}/"
    # What was read, sent back with a new price.
    changed = (await api.patch(url, json={**yen, "listing_price": "3000.00"})).json()
    assert (changed["listing_price_usd"], changed["listing_price_usd_status"]) == ("21.52", "converted")
    assert (await api.get(f"/api/v1/products/{product['uid']}/")).json()["price_computed_usd"] == "20.00"


@pytest.mark.anyio
async def test_a_rate_that_is_too_old_makes_no_price_and_that_is_shown(api: httpx.AsyncClient, keep: Keep) -> None:
    keep(TODAY - timedelta(days=8), USD="1.10")
    found = await create_presence(api, await create(api), listing_currency="EUR", listing_price="20.00")
    assert (found["listing_price_usd"], found["listing_price_usd_status"]) == (None, "stale")


@pytest.mark.anyio
async def test_the_newest_rates_are_shown_with_their_day_and_whether_they_are_stale(
    api: httpx.AsyncClient, keep: Keep
) -> None:
    none = (await api.get("/api/v1/exchange-rates/")).json()
    assert (none["date"], none["is_stale"], none["rates"], none["source"]) == (None, True, [], None)
    old = TODAY - timedelta(days=8)
    keep(old, USD="1.10", RUB="117.2010")
    assert (await api.get("/api/v1/exchange-rates/")).json()["is_stale"] is True
    keep(TODAY, USD="1.0735")
    found = (await api.get("/api/v1/exchange-rates/")).json()
    assert (found["base"], found["date"], found["is_stale"], found["source"]) == (
        "EUR",
        TODAY.isoformat(),
        False,
        "ecb",
    )
    assert found["error"] is None
    rates = {rate["currency"]: (rate["per_base"], rate["date"], rate["is_stale"]) for rate in found["rates"]}
    assert rates == {
        "EUR": ("1", TODAY.isoformat(), False),
        "RUB": ("117.2010", old.isoformat(), True),
        "USD": ("1.0735", TODAY.isoformat(), False),
    }

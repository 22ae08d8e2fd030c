import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from commands.bus import Bus
from commands.settings import Settings
from commands.tokens import digest_of, download_token
from commands.work import Context
from domain import ids
from domain.number_fields import NOT_A_MOMENT
from projections.base import Reader
from projections.purchase import by_token
from tests.clients import PRODUCTS, Key, make_key, serving
from tests.conftest import SECRET
from tests.selling import BUYER, FULFILL, PURCHASES, add_asset, bus_of, digital_product, fulfill

pytestmark = pytest.mark.anyio


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    with bus_of(database_url) as found:
        yield found


@pytest.fixture
def product(bus: Bus, key: Key) -> str:
    return digital_product(bus, key.organization, "Kit.zip", "Läs mig.pdf")


@pytest.fixture
async def stranger(plain_settings: Settings, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(plain_settings, make_key(database_url, "Other").text) as client:
        yield client


def asked(product: str, **fields: Any) -> dict[str, Any]:
    return {"product_uid": product, "buyer_email": BUYER, **fields}


async def test_a_purchase_says_all_that_was_sold(api: httpx.AsyncClient, product: str) -> None:
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    response = await api.post(
        FULFILL,
        json=asked(
            product,
            buyer_name="  Ana \n Sousa ",
            external_order_id="1001",
            max_downloads=5,
            expires_at=tomorrow.isoformat(),
        ),
    )
    assert response.status_code == 201
    made = response.json()
    uid = made.pop("uid")
    assert response.headers["location"] == f"{PURCHASES}{uid}/"
    assets = made.pop("assets")
    url, created, updated = (made.pop(name) for name in ("download_url", "created", "updated"))
    assert made == {
        "product": {"uid": product, "title": "Drum Kit", "type": "digital"},
        "buyer_email": BUYER,
        "buyer_name": "Ana Sousa",
        "external_order_id": "1001",
        "status": "pending",
        "email": {"status": "pending", "attempts": 0, "last_error": None, "sent_at": None},
        "download_count": 0,
        "max_downloads": 5,
        "expires_at": tomorrow.isoformat().replace("+00:00", "Z"),
    }
    assert [asset["filename"] for asset in assets] == ["Kit.zip", "Läs mig.pdf"]
    assert assets[0].keys() == {"uid", "filename", "display_name", "content_type", "size"}
    assert (assets[0]["size"], assets[0]["display_name"]) == (12, None)
    assert created == updated
    id = ids.parse(ids.PURCHASE, uid)
    assert id is not None
    assert url == f"http://testserver/api/v1/digital/download/{download_token(SECRET, id)}/"
    shown = await api.get(f"{PURCHASES}{uid}/")
    assert shown.json() == response.json()
    assert shown.headers["etag"] == response.headers["etag"]
    again = await api.get(f"{PURCHASES}{uid}", headers={"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    listed = (await api.get(PURCHASES)).json()
    assert listed == {"count": 1, "next": None, "previous": None, "results": [shown.json()]}


async def test_the_link_leads_to_the_purchase_and_no_table_holds_its_token(
    api: httpx.AsyncClient, product: str, database_url: str
) -> None:
    made = await fulfill(api, product)
    token = made["download_url"].split("/")[-2]
    async with Reader(database_url, size=1) as reader:
        found = await by_token(reader, digest_of(token))
        assert found is not None
        assert ids.uid(ids.PURCHASE, found.id) == made["uid"]
        assert [asset.filename for asset in found.assets] == ["Kit.zip", "Läs mig.pdf"]
        assert await by_token(reader, digest_of(token[:-1])) is None
    assert holding(database_url, token) == []


_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


def holding(database_url: str, text: str) -> list[str]:
    """Return the tables that hold a row with the text in it, the log's bodies decoded."""
    found = []
    with psycopg.connect(database_url) as connection:
        for [table] in connection.execute(_TABLES).fetchall():
            columns = "convert_from(state, 'UTF8')" if table == "events" else "t::text"
            query = f"SELECT 1 FROM {table} AS t WHERE position(%s IN {columns}) > 0".encode()
            if connection.execute(query, [text]).fetchone():
                found.append(table)
    return sorted(found)


async def test_who_bought_is_in_one_table_alone(api: httpx.AsyncClient, product: str, database_url: str) -> None:
    headers = {"Idempotency-Key": "k1"}
    body = asked(product, buyer_name="Ana Sousa", external_order_id="7")
    assert (await api.post(FULFILL, json=body, headers=headers)).status_code == 201
    assert holding(database_url, BUYER) == ["buyer"]
    assert holding(database_url, "Sousa") == ["buyer"]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, {"product_uid": ["This field is required."], "buyer_email": ["This field is required."]}),
        (
            {"product_uid": None, "buyer_email": ""},
            {"product_uid": ["This field may not be null."], "buyer_email": ["This field may not be blank."]},
        ),
        ({"buyer_email": "nobody"}, {"buyer_email": ["Enter a valid email address."]}),
        ({"buyer_email": 7}, {"buyer_email": ["Not a valid string."]}),
        ({"buyer_email": "a@\u3164.de"}, {"buyer_email": ["Enter a valid email address."]}),
        ({"max_downloads": 0}, {"max_downloads": ["Ensure this value is greater than or equal to 1."]}),
        ({"max_downloads": "many"}, {"max_downloads": ["A valid integer is required."]}),
        ({"max_downloads": True}, {"max_downloads": ["A valid integer is required."]}),
        ({"max_downloads": 1.5}, {"max_downloads": ["A valid integer is required."]}),
        ({"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": ["Ensure this value is in the future."]}),
        ({"buyer_name": "x" * 256}, {"buyer_name": ["Ensure this field has no more than 255 characters."]}),
        ({"external_order_id": ["1"]}, {"external_order_id": ["Not a valid string."]}),
    ],
)
async def test_what_is_wrong_is_said_by_field(
    api: httpx.AsyncClient, product: str, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    response = await api.post(FULFILL, json=asked(product) | fields if fields else {})
    assert (response.status_code, response.json()) == (400, errors)
    assert (await api.get(PURCHASES)).json()["count"] == 0


async def test_all_that_is_wrong_is_said_at_once(api: httpx.AsyncClient) -> None:
    missing = ids.PRODUCT + "0" * 26
    response = await api.post(FULFILL, json={"product_uid": missing, "buyer_email": "x", "expires_at": "soon"})
    assert response.json() == {
        "product_uid": [f"Object with uid={missing} does not exist."],
        "buyer_email": ["Enter a valid email address."],
        "expires_at": [NOT_A_MOMENT],
    }


async def test_what_has_no_files_or_is_no_file_is_not_sold(
    api: httpx.AsyncClient, stranger: httpx.AsyncClient, bus: Bus, key: Key, product: str
) -> None:
    physical = (await api.post(PRODUCTS, json={"title": "Abbey Road", "type": "physical"})).json()["uid"]
    empty = digital_product(bus, key.organization)
    for uid, message in (
        (physical, "Physical products cannot be fulfilled digitally."),
        (empty, "This product has no digital assets."),
    ):
        response = await api.post(FULFILL, json=asked(uid))
        assert (response.status_code, response.json()) == (400, {"product_uid": [message]})
    foreign = await stranger.post(FULFILL, json=asked(product))
    assert foreign.json() == {"product_uid": [f"Object with uid={product} does not exist."]}


async def test_addresses_of_every_alphabet_are_taken_as_they_are(api: httpx.AsyncClient, product: str) -> None:
    for address in ("Ana.Sousa+dw@Example.COM", "info@bücher.example", "o'neil@пример.рф"):
        assert (await fulfill(api, product, buyer_email=f" {address} "))["buyer_email"] == address
    found = await api.get(PURCHASES, params={"buyer_email": "INFO@xn--bcher-kva.EXAMPLE"})
    assert [purchase["buyer_email"] for purchase in found.json()["results"]] == ["info@bücher.example"]


async def test_an_order_is_fulfilled_once(api: httpx.AsyncClient, stranger: httpx.AsyncClient, product: str) -> None:
    first = await fulfill(api, product, external_order_id="1001")
    again = await api.post(FULFILL, json=asked(product, external_order_id="1001", buyer_email="other@example.com"))
    assert (again.status_code, again.json()) == (200, first)
    # Also where it could not be sold any more.
    await api.delete(f"{PRODUCTS}{product}/")
    gone = await api.post(FULFILL, json=asked(product, external_order_id="1001"))
    assert (gone.status_code, gone.json()) == (200, first)
    assert (await api.get(PURCHASES)).json()["count"] == 1
    assert (await stranger.get(PURCHASES)).json()["count"] == 0


async def test_parallel_twins_of_an_order_make_one_purchase(
    api: httpx.AsyncClient, product: str, database_url: str
) -> None:
    twins = await asyncio.gather(*(api.post(FULFILL, json=asked(product, external_order_id="7")) for _ in range(20)))
    assert sorted(twin.status_code for twin in twins) == [200] * 19 + [201]
    assert len({twin.json()["uid"] for twin in twins}) == 1
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM buyer").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM todo WHERE kind = 'mail'").fetchone() == (1,)


async def test_blank_orders_and_those_of_other_sellers_are_no_twins(
    api: httpx.AsyncClient, stranger: httpx.AsyncClient, bus: Bus, product: str, database_url: str
) -> None:
    first, second = [await fulfill(api, product, external_order_id="") for _ in range(2)]
    assert first["uid"] != second["uid"]
    assert first["external_order_id"] is None
    theirs = make_key(database_url, "Third")
    await fulfill(api, product, external_order_id="7")
    with_theirs = digital_product(bus, theirs.organization, "a.zip")
    response = await api.post(
        FULFILL,
        json=asked(with_theirs, external_order_id="7"),
        headers={"Authorization": f"Bearer {theirs.text}"},
    )
    assert response.status_code == 201


async def test_a_repeat_with_its_key_gets_the_first_answer(api: httpx.AsyncClient, product: str) -> None:
    headers = {"Idempotency-Key": "k1"}
    body = asked(product, buyer_name='Ana "Å" Sousa')
    first, second = [await api.post(FULFILL, json=body, headers=headers) for _ in range(2)]
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    other = await api.post(FULFILL, json=body | {"max_downloads": 1}, headers=headers)
    assert other.status_code == 422
    twins = await asyncio.gather(*(api.post(FULFILL, json=body, headers={"Idempotency-Key": "k2"}) for _ in range(10)))
    assert len({twin.content for twin in twins}) == 1
    assert (await api.get(PURCHASES)).json()["count"] == 2


async def test_a_key_on_an_order_that_was_fulfilled_repeats_that(api: httpx.AsyncClient, product: str) -> None:
    first = await fulfill(api, product, external_order_id="7")
    body, headers = asked(product, external_order_id="7"), {"Idempotency-Key": "k1"}
    answers = [await api.post(FULFILL, json=body, headers=headers) for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, first)] * 2
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]


async def test_what_was_sold_stays_as_it_was(api: httpx.AsyncClient, bus: Bus, key: Key, product: str) -> None:
    made = await fulfill(api, product)
    await api.patch(f"{PRODUCTS}{product}/", json={"title": "Another"})
    id = ids.parse(ids.PRODUCT, product)
    assert id is not None
    add_asset(bus, Context(key.organization, "key_1", "r"), id, "More.zip")
    assert (await api.get(f"{PURCHASES}{made['uid']}/")).json() == made
    await api.delete(f"{PRODUCTS}{product}/")
    assert (await api.get(f"{PURCHASES}{made['uid']}/")).json() == made
    assert (await api.get(PURCHASES, params={"product_uid": product})).json()["results"] == [made]


async def test_lists_are_filtered_and_ordered(api: httpx.AsyncClient, bus: Bus, key: Key, product: str) -> None:
    other = digital_product(bus, key.organization, "b.zip", title="Other")
    made = [
        await fulfill(api, of, buyer_email=who)
        for of, who in ((product, BUYER), (other, "BUYER@Example.com"), (product, "b@example.com"))
    ]
    uids = [purchase["uid"] for purchase in made]
    await api.post(f"{PURCHASES}{uids[2]}/revoke/")

    async def found(**query: Any) -> list[int]:
        response = await api.get(PURCHASES, params=query)
        assert response.status_code == 200, response.text
        results = response.json()["results"]
        assert response.json()["count"] == len(results)
        return [uids.index(purchase["uid"]) for purchase in results]

    assert await found() == [2, 1, 0]
    assert await found(ordering="created") == [0, 1, 2]
    assert await found(ordering="title") == [2, 1, 0]
    assert await found(product_uid=product) == [2, 0]
    assert await found(product_uid="none") == []
    assert await found(buyer_email="Buyer@example.com") == [1, 0]
    assert await found(buyer_email="' OR 1=1 --") == []
    assert await found(buyer_email="buyer@example.com", product_uid=other) == [1]
    assert await found(status="revoked") == [2]
    assert await found(status="pending,revoked") == [2, 1, 0]
    wrong = await api.get(PURCHASES, params={"status": "lost"})
    assert (wrong.status_code, wrong.json()) == (400, {"status": ['"lost" is not a valid choice.']})


async def test_lists_have_pages_and_cursors(api: httpx.AsyncClient, product: str) -> None:
    made = [(await fulfill(api, product, buyer_email=f"b{n}@example.com"))["uid"] for n in range(5)]
    last = (await api.get(PURCHASES, params={"page": "last", "page_size": 2})).json()
    assert (last["count"], [purchase["uid"] for purchase in last["results"]]) == (5, made[:1])
    assert last["results"][0]["buyer_email"] == "b0@example.com"
    assert (await api.get(PURCHASES, params={"page": 9})).json() == {"detail": "Invalid page."}
    walked: list[str] = []
    url: str | None = f"{PURCHASES}?cursor=&page_size=2&ordering=created"
    while url:
        step = (await api.get(url)).json()
        walked += [purchase["uid"] for purchase in step["results"]]
        url = step["next"]
    assert walked == made


async def test_a_revoked_purchase_can_be_restored(api: httpx.AsyncClient, product: str, database_url: str) -> None:
    made = await fulfill(api, product)

    def owed() -> int:
        with psycopg.connect(database_url) as connection:
            return int((connection.execute("SELECT count(*) FROM todo").fetchone() or (0,))[0])

    assert owed() == 1
    for verb, status, mails in (("revoke", "revoked", 0), ("revoke", "revoked", 0), ("restore", "pending", 1)):
        answer = await api.post(f"{PURCHASES}{made['uid']}/{verb}/")
        assert (answer.status_code, answer.json()["status"], owed()) == (200, status, mails)
        assert answer.json()["buyer_email"] == BUYER
    again = await api.post(f"{PURCHASES}{made['uid']}/restore")
    assert again.json() == (await api.get(f"{PURCHASES}{made['uid']}/")).json()


async def test_a_mail_is_asked_for_again_five_times_an_hour(api: httpx.AsyncClient, product: str) -> None:
    made = await fulfill(api, product)
    url = f"{PURCHASES}{made['uid']}/resend-email/"
    keyed = {"Idempotency-Key": "once"}
    first = [await api.post(url, headers=keyed) for _ in range(2)]
    assert [answer.content for answer in first] == [first[0].content] * 2
    assert [(await api.post(url)).status_code for _ in range(4)] == [200] * 4
    refused = await api.post(url)
    seconds = refused.headers["retry-after"]
    assert refused.status_code == 429
    assert refused.json() == {"detail": f"Request was throttled. Expected available in {seconds} seconds."}
    assert 3590 < int(seconds) <= 3600
    assert (await api.post(url, headers=keyed)).status_code == 200


async def test_a_revoked_purchase_is_not_mailed(api: httpx.AsyncClient, product: str) -> None:
    made = await fulfill(api, product)
    await api.post(f"{PURCHASES}{made['uid']}/revoke/")
    refused = await api.post(f"{PURCHASES}{made['uid']}/resend-email/")
    assert (refused.status_code, refused.json()) == (400, {"detail": "This purchase was revoked."})


async def test_another_sellers_purchase_is_not_there(
    api: httpx.AsyncClient, stranger: httpx.AsyncClient, product: str
) -> None:
    made = await fulfill(api, product)
    one = f"{PURCHASES}{made['uid']}/"
    missing = f"{PURCHASES}{ids.PURCHASE}{'0' * 26}/"
    for client, url in ((stranger, one), (api, missing), (api, f"{PURCHASES}junk/")):
        answers = [await client.get(url)]
        answers += [await client.post(f"{url}{verb}/") for verb in ("resend-email", "revoke", "restore")]
        assert {(answer.status_code, answer.text) for answer in answers} == {(404, '{"detail":"Not found."}')}


async def test_selling_needs_a_key_that_may_write(
    plain_settings: Settings, database_url: str, key: Key, product: str, api: httpx.AsyncClient
) -> None:
    made = await fulfill(api, product)
    reader = make_key(database_url, scopes=("read",), of=key.organization)
    async with serving(plain_settings, reader.text) as client:
        assert (await client.get(f"{PURCHASES}{made['uid']}/")).status_code == 200
        assert (await client.post(FULFILL, json=asked(product))).status_code == 403
        for verb in ("resend-email", "revoke", "restore"):
            assert (await client.post(f"{PURCHASES}{made['uid']}/{verb}/")).status_code == 403

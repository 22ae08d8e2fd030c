import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.connection import DeleteConnection
from commands.settings import Settings, declared
from commands.store import Store
from commands.vault import Unsealable, Vault
from commands.web import Web
from commands.work import Context
from domain import ids
from projections.credential import Credentials
from projections.inline import inline_projections
from sandbox.ebay import Ebay
from tests.clients import Key, make_key, serving
from tests.marketplaces import Marketplace, discogs, ebay
from workers.connections import ConnectionWork
from workers.leases import Lease
from workers.marketplaces.ebay import EbayTokens
from workers.marketplaces.registry import Marketplaces
from workers.runner import Overtaken, Postponed

pytestmark = pytest.mark.anyio

PATH = "/api/v1/marketplace-connections/"
SECRET, OTHER = "a secret of this test, long enough", "another secret, long enough too"
DISCOGS = {"platform_uid": "plat_discogs", "credentials": {"token": "discogs-token"}}
EBAY_APPLICATION = {
    "ebay_client_id": "client-id",
    "ebay_client_secret": "client-secret",
    "ebay_ru_name": "Deadwax-RuName",
}


@pytest.fixture
def secretive(plain_settings: Settings) -> Settings:
    return replace(plain_settings, secret_key=SECRET, **EBAY_APPLICATION)


@pytest.fixture
async def api(secretive: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(secretive, key.text) as client:
        yield client


async def connect(api: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await api.post(PATH, json=fields or DISCOGS)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def shown(api: httpx.AsyncClient, connection: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"{PATH}{connection['uid']}/")).json()
    return found


def id_of(connection: dict[str, Any]) -> UUID:
    id = ids.parse(ids.CONNECTION, connection["uid"])
    assert id is not None
    return id


@contextmanager
def bus_on(settings: Settings) -> Iterator[Bus]:
    store = Store(settings.database_url, inline_projections(), pool_size=2)
    try:
        yield Bus(store)
    finally:
        store.close()


def work(settings: Settings, connection: dict[str, Any], later: timedelta = timedelta(0)) -> bool:
    """Do what a worker does with the connection, so much later; return whether there was anything to do."""
    with bus_on(settings) as bus, Marketplaces(settings, lambda: datetime.now(UTC) + later) as marketplaces:
        found = ConnectionWork.take(bus, settings, marketplaces, id_of(connection))
        if found is None:
            return False
        found.attempt(Lease(id_of(connection), uuid7(), 1, threading.Event(), 60.0))
    return True


def owed(settings: Settings) -> list[str]:
    with psycopg.connect(settings.database_url) as connection:
        return [row[0] for row in connection.execute("SELECT kind FROM todo").fetchall()]


def test_a_seal_opens_for_its_connection_under_its_secret_alone() -> None:
    id, vault = uuid7(), Vault(SECRET)
    sealed = vault.seal(id, {"token": "hush"})
    assert b"hush" not in sealed
    assert vault.open(id, sealed) == {"token": "hush"}
    assert vault.seal(id, {"token": "hush"}) != sealed
    for opens, connection in ((vault, uuid7()), (Vault(OTHER), id)):
        with pytest.raises(Unsealable):
            opens.open(connection, sealed)
    both = Vault(OTHER, SECRET)
    assert both.open(id, sealed) == {"token": "hush"}
    assert (both.is_newest(sealed), both.is_newest(both.seal(id, {}))) == (False, True)
    with pytest.raises(Unsealable):
        Vault("", "")


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_seal_that_was_touched_anywhere_does_not_open(place: int, difference: int) -> None:
    id, vault = uuid7(), Vault(SECRET)
    touched = bytearray(vault.seal(id, {"token": "hush"}))
    touched[place % len(touched)] ^= difference
    with pytest.raises(Unsealable):
        vault.open(id, bytes(touched))


async def test_a_connection_shows_everything_but_what_opens_it(api: httpx.AsyncClient, secretive: Settings) -> None:
    made = await connect(api, **DISCOGS, name="Main shop", interval_minutes=30, push_prices=True)
    assert made["platform"] == {"uid": "plat_discogs", "name": "Discogs", "slug": "discogs"}
    assert (made["status"], made["has_credentials"], made["tested_at"]) == ("checking", True, None)
    assert (made["interval_minutes"], made["push_prices"], made["auto_delist"], made["markup_percent"]) == (
        30, True, False, 0,
    )  # fmt: skip
    assert made["capabilities"]["authorize"] is True
    assert owed(secretive) == ["connection"]
    page = (await api.get(PATH)).json()
    assert (page["count"], page["results"]) == (1, [made])
    assert await shown(api, made) == made


async def test_no_table_no_event_and_no_answer_holds_a_credential(api: httpx.AsyncClient, secretive: Settings) -> None:
    sent = {**DISCOGS, "credentials": {"token": "utterly-secret-token"}}
    first = await api.post(PATH, json=sent, headers={"Idempotency-Key": "connect"})
    again = await api.post(PATH, json=sent, headers={"Idempotency-Key": "connect"})
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert "utterly-secret-token" not in first.text
    with psycopg.connect(secretive.database_url) as database:
        tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = database.execute(f'SELECT t::text FROM "{table}" AS t'.encode()).fetchall()
            for (row,) in rows:
                assert "utterly-secret-token" not in row, table
                assert b"utterly-secret-token".hex() not in row, table


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({}, {"platform_uid": ["This field is required."]}),
        ({"platform_uid": "plat_x"}, {"platform_uid": ["Object with uid=plat_x does not exist."]}),
        (
            {"platform_uid": "plat_redbubble"},
            {"platform_uid": ["Redbubble has no API connection: its listings are kept by hand."]},
        ),
        ({"platform_uid": "plat_etsy"}, {"platform_uid": ["Etsy cannot be connected yet."]}),
        (
            {"platform_uid": "plat_discogs", "credentials": {"refresh_token": "x"}},
            {"credentials": {"token": ["This field is required."]}},
        ),
        (
            {"platform_uid": "plat_discogs", "credentials": {"token": " "}, "interval_minutes": 1},
            {
                "credentials": {"token": ["This field may not be blank."]},
                "interval_minutes": ["Ensure this value is greater than or equal to 5."],
            },
        ),
        (
            {"platform_uid": "plat_discogs", "credentials": "token"},
            {"credentials": ['Expected a dictionary of items but got type "str".']},
        ),
    ],
)
async def test_all_that_is_wrong_is_said_at_once(
    api: httpx.AsyncClient, sent: dict[str, Any], errors: dict[str, Any]
) -> None:
    refused = await api.post(PATH, json=sent)
    assert (refused.status_code, refused.json()) == (400, errors)


@pytest.mark.parametrize("platform", ["plat_redbubble", "plat_teepublic", "plat_society6"])
async def test_a_manual_platform_is_not_connected(api: httpx.AsyncClient, platform: str) -> None:
    assert (await api.post(PATH, json={"platform_uid": platform})).status_code == 400
    platforms = {found["uid"]: found for found in (await api.get("/api/v1/platforms/")).json()}
    assert platforms[platform]["supports_api_connection"] is False


async def test_a_platform_is_connected_once_and_again_after_it_was_let_go(api: httpx.AsyncClient) -> None:
    made = await connect(api)
    twice = await api.post(PATH, json=DISCOGS)
    assert (twice.status_code, twice.json()) == (400, {"platform_uid": ["This platform is connected already."]})
    assert (await api.delete(f"{PATH}{made['uid']}/")).status_code == 204
    assert (await api.get(f"{PATH}{made['uid']}/")).status_code == 404
    assert (await api.post(PATH, json=DISCOGS)).status_code == 201


async def test_with_a_connection_what_opens_it_and_what_was_owed_goes(
    api: httpx.AsyncClient, secretive: Settings
) -> None:
    made = await connect(api)
    await api.delete(f"{PATH}{made['uid']}/")
    assert owed(secretive) == []
    with Credentials(secretive.database_url) as credentials:
        assert credentials.connections() == []


async def test_a_revision_changes_what_it_says_under_its_tag(api: httpx.AsyncClient, secretive: Settings) -> None:
    made = await connect(api, platform_uid="plat_discogs")
    assert (made["status"], made["has_credentials"], owed(secretive)) == ("unauthorized", False, [])
    url = f"{PATH}{made['uid']}/"
    tag = (await api.get(url)).headers["etag"]
    changed = await api.patch(url, json={**made, "markup_percent": 10}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["markup_percent"]) == (200, 10)
    assert (await api.patch(url, json={"markup_percent": 11}, headers={"If-Match": tag})).status_code == 412
    given_later = (await api.patch(url, json={"credentials": {"token": "x"}})).json()
    assert (given_later["status"], owed(secretive)) == ("checking", ["connection"])
    refused = await api.patch(url, json={"credentials": {}, "interval_minutes": 0})
    assert refused.json().keys() == {"credentials", "interval_minutes"}
    assert (await api.patch(url, json={"credentials": None})).status_code == 400


async def test_it_takes_the_scope_admin_to_change_one_and_another_organizations_is_not_there(
    api: httpx.AsyncClient, key: Key, database_url: str
) -> None:
    made = await connect(api)
    url = f"{PATH}{made['uid']}/"
    clerk = make_key(database_url, scopes=("read", "write"), of=key.organization).text
    stranger = make_key(database_url, "Stranger").text
    as_clerk, as_stranger = ({"Authorization": f"Bearer {text}"} for text in (clerk, stranger))
    assert (await api.get(url, headers=as_clerk)).status_code == 200
    for method, path in (("POST", PATH), ("PATCH", url), ("DELETE", url), ("POST", f"{url}test/")):
        assert (await api.request(method, path, headers=as_clerk)).status_code == 403
    for method, path in (("GET", url), ("PATCH", url), ("DELETE", url), ("POST", f"{url}test/")):
        answer = await api.request(method, path, headers=as_stranger)
        assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')
    assert (await api.post(f"{url}authorize/", headers=as_stranger)).status_code == 404
    assert (await api.get(PATH, headers=as_stranger)).json()["count"] == 0


async def test_a_token_that_is_right_connects(api: httpx.AsyncClient, secretive: Settings) -> None:
    with discogs() as market:
        made = await connect(api)
        there = replace(secretive, discogs_api_url=market.url)
        assert work(there, made)
        found = await shown(api, made)
        assert (found["status"], found["reason"], found["tested_at"] is None) == ("connected", None, False)
        assert owed(secretive) == ["round"]
        assert not work(there, made)
        tried = await api.post(f"{PATH}{made['uid']}/test/")
        assert (tried.status_code, tried.json()["status"], owed(secretive)) == (202, "checking", ["connection"])
        assert market.violations == {}


async def test_a_token_that_is_wrong_is_to_be_replaced(api: httpx.AsyncClient, secretive: Settings) -> None:
    with discogs() as market:
        made = await connect(api, platform_uid="plat_discogs", credentials={"token": "guessed"})
        work(replace(secretive, discogs_api_url=market.url), made)
        found = await shown(api, made)
        assert found["status"] == "reconnect"
        assert found["reason"] == "The marketplace refused the credentials (status 401)."
        assert owed(secretive) == []


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "status", "status": 429}, {"kind": "html"}, {"kind": "lost"}]
)
async def test_what_may_pass_is_tried_again_and_seen_meanwhile(
    api: httpx.AsyncClient, secretive: Settings, fault: dict[str, Any]
) -> None:
    with discogs() as market:
        made = await connect(api)
        there = replace(secretive, discogs_api_url=market.url)
        market.admin("faults", **fault)
        with pytest.raises(Postponed):
            work(there, made)
        found = await shown(api, made)
        assert (found["status"], found["reason"] is None, owed(secretive)) == ("failing", False, ["connection"])
        # Nobody asks again right after there was too much asking.
        assert work(there, made, later=timedelta(minutes=2))
        assert (await shown(api, made))["status"] == "connected"


async def test_what_was_sealed_under_another_secret_is_to_be_given_anew(
    api: httpx.AsyncClient, secretive: Settings
) -> None:
    made = await connect(api)
    work(replace(secretive, secret_key=OTHER), made)
    found = await shown(api, made)
    assert (found["status"], "another DEADWAX_SECRET_KEY" in found["reason"]) == ("reconnect", True)


async def test_without_credentials_there_is_nothing_to_try(api: httpx.AsyncClient) -> None:
    made = await connect(api, platform_uid="plat_discogs")
    refused = await api.post(f"{PATH}{made['uid']}/test/")
    assert refused.json() == {"non_field_errors": ["There are no credentials to try."]}


async def test_one_that_is_deleted_while_it_is_tried_stays_deleted(api: httpx.AsyncClient, secretive: Settings) -> None:
    with bus_on(secretive) as bus, Marketplaces(secretive) as marketplaces:
        made = await connect(api)
        found = ConnectionWork.take(bus, secretive, marketplaces, id_of(made))
        assert found is not None
        context = Context(found._state.organization, "system", "test")
        bus.execute(DeleteConnection(id=id_of(made)), context)
        with pytest.raises(Overtaken):
            found.attempt(Lease(id_of(made), uuid7(), 1, threading.Event(), 60.0))
    assert (await api.get(f"{PATH}{made['uid']}/")).status_code == 404


@pytest.fixture
def market() -> Iterator[Marketplace]:
    with ebay() as there:
        yield there


def at_ebay(settings: Settings, market: Marketplace) -> Settings:
    return replace(settings, ebay_api_url=market.url, ebay_auth_url=market.url)


async def test_a_seller_consents_and_is_connected(secretive: Settings, key: Key, market: Marketplace) -> None:
    there = at_ebay(secretive, market)
    async with serving(there, key.text) as api:
        made = await connect(api, platform_uid="plat_ebay")
        assert (made["status"], made["capabilities"]["authorize"]) == ("unauthorized", True)
        begun = await api.post(f"{PATH}{made['uid']}/authorize/")
        assert (begun.status_code, begun.headers["cache-control"]) == (200, "no-store")
        market.admin("application", callback_url=f"http://testserver{PATH}callback/")
        back = market.client.get(begun.json()["authorization_url"]).headers["location"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        del api.headers["Authorization"]
        page = await api.get(f"{PATH}callback/", params=query)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        # A state works once, and a guessed one never.
        assert (await api.get(f"{PATH}callback/", params=query)).status_code == 400
        assert (await api.get(f"{PATH}callback/", params={"state": "guessed", "code": "x"})).status_code == 400
        api.headers["Authorization"] = f"Bearer {key.text}"
        assert (await shown(api, made))["status"] == "checking"
        work(there, made)
        assert (await shown(api, made))["status"] == "connected"
        assert market.violations == {}


async def test_a_state_is_good_for_ten_minutes(secretive: Settings, key: Key, market: Marketplace) -> None:
    async with serving(at_ebay(secretive, market), key.text) as api:
        made = await connect(api, platform_uid="plat_ebay")
        url = (await api.post(f"{PATH}{made['uid']}/authorize/")).json()["authorization_url"]
        with psycopg.connect(secretive.database_url, autocommit=True) as database:
            database.execute("UPDATE consent SET until = until - interval '601 seconds'")
        state = parse_qs(urlsplit(url).query)["state"][0]
        late = await api.get(f"{PATH}callback/", params={"state": state, "code": "x"})
        assert late.json() == {"detail": "This consent is not expected, or no longer. Begin again."}
        assert (await shown(api, made))["status"] == "unauthorized"


async def test_a_platform_is_authorized_only_where_it_is_set_up(plain_settings: Settings, key: Key) -> None:
    async with serving(replace(plain_settings, secret_key=SECRET), key.text) as bare:
        made = await connect(bare, platform_uid="plat_ebay")
        refused = await bare.post(f"{PATH}{made['uid']}/authorize/")
        assert refused.json() == {"non_field_errors": ["EBAY_CLIENT_ID and EBAY_RU_NAME are not set."]}


async def ebay_connection(api: httpx.AsyncClient, market: Marketplace) -> dict[str, Any]:
    refresh = market.admin("consents")["refresh_token"]
    return await connect(api, platform_uid="plat_ebay", credentials={"refresh_token": refresh})


def mints(market: Marketplace) -> int:
    return market.vendor.calls["POST /identity/v1/oauth2/token"]


async def test_a_token_is_renewed_by_one_of_those_who_want_it_and_used_by_all(
    api: httpx.AsyncClient, secretive: Settings, market: Marketplace
) -> None:
    made, there, before = await ebay_connection(api, market), at_ebay(secretive, market), mints(market)
    market.admin("faults", kind="slow", path="/identity", seconds=0.3)
    found: list[str] = []

    def one() -> None:
        # Each with a connection of its own, as in processes of their own.
        with Credentials(there.database_url) as credentials, Web() as web:
            found.append(EbayTokens(web, there, Vault(SECRET), credentials, id_of(made)).access())

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len({*found}), mints(market) - before) == (6, 1, 1)


async def test_a_token_that_ended_early_is_renewed_once_and_the_consent_is_kept(
    api: httpx.AsyncClient, secretive: Settings, market: Marketplace
) -> None:
    made, there = await ebay_connection(api, market), at_ebay(secretive, market)
    work(there, made)
    before = mints(market)
    for _ in range(2):
        market.admin("tokens")
        await api.post(f"{PATH}{made['uid']}/test/")
        work(there, made)
        assert (await shown(api, made))["status"] == "connected"
    assert mints(market) - before == 2


async def test_a_consent_that_was_taken_back_is_to_be_given_anew(
    api: httpx.AsyncClient, secretive: Settings, market: Marketplace
) -> None:
    made = await ebay_connection(api, market)
    market.admin("tokens", revoke=True)
    work(at_ebay(secretive, market), made)
    found = await shown(api, made)
    assert (found["status"], "connect again" in found["reason"]) == ("reconnect", True)


async def test_a_wrong_application_is_no_fault_of_the_sellers(
    api: httpx.AsyncClient, secretive: Settings, market: Marketplace
) -> None:
    assert isinstance(market.vendor, Ebay)
    made = await ebay_connection(api, market)
    work(replace(at_ebay(secretive, market), ebay_client_secret="wrong"), made)
    assert "EBAY_CLIENT_SECRET is wrong" in (await shown(api, made))["reason"]


async def test_credentials_are_sealed_anew_under_a_new_secret(
    api: httpx.AsyncClient, secretive: Settings, tmp_path: Path
) -> None:
    made = await connect(api)
    environment = {**os.environ, "DEADWAX_SECRET_KEY": OTHER, "DEADWAX_PREVIOUS_SECRET_KEY": SECRET}
    for name in ("database_url", "redis_url"):
        environment[declared()[name][1].variable] = getattr(secretive, name)

    def reseal() -> str:
        command = [sys.executable, "-m", "api.cli", "connections", "reseal"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert reseal() == "1 sealed anew\n"
    assert reseal() == "0 sealed anew\n"
    with Credentials(secretive.database_url) as credentials, credentials.held(id_of(made)) as held:
        assert held.sealed is not None
        assert Vault(OTHER).open(id_of(made), held.sealed) == {"token": "discogs-token"}


async def test_what_happened_to_a_connection_is_in_the_log(api: httpx.AsyncClient, secretive: Settings) -> None:
    with discogs() as market:
        made = await connect(api)
        work(replace(secretive, discogs_api_url=market.url), made)
    with psycopg.connect(secretive.database_url) as database:
        rows = database.execute("SELECT topic, state FROM events WHERE topic LIKE 'connection.%' ORDER BY 1").fetchall()
    assert [row[0] for row in rows] == [
        "connection.created.v1", "connection.credentials-replaced.v1", "connection.verified.v1",
    ]  # fmt: skip
    assert all("token" not in json.loads(row[1]) for row in rows)

"""Discogs by consent: from …/authorize/ over Discogs' page and …/callback/ to a worker's first request."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from msgspec.structs import replace

from commands.discogs_oauth import Declined, DiscogsOAuth, Token
from commands.settings import Settings
from commands.vault import Vault
from commands.web import Unreadable, Web
from projections.credential import Credentials
from projections.notification import Subscribers
from sandbox.discogs import Discogs
from tests.clients import Key, make_key, serving
from tests.marketplaces import Marketplace, discogs
from tests.server import free_port
from tests.test_connections import PATH, SECRET, connect, id_of, shown, work
from workers.runner import Postponed

pytestmark = pytest.mark.anyio

CALLBACK = f"{PATH}callback/"
APPLICATION = {"discogs_consumer_key": "consumer-key", "discogs_consumer_secret": "consumer-secret"}
UNEXPECTED = {"detail": "This consent is not expected, or no longer. Begin again."}


@pytest.fixture
def market() -> Iterator[Marketplace]:
    with discogs() as there:
        yield there


@pytest.fixture
def there(plain_settings: Settings, market: Marketplace) -> Settings:
    return replace(
        plain_settings,
        secret_key=SECRET,
        discogs_api_url=market.url,
        discogs_auth_url=market.url,
        public_url="https://shop.example",
        **APPLICATION,
    )


@pytest.fixture
async def api(there: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(there, key.text) as client:
        yield client


async def begun(api: httpx.AsyncClient) -> tuple[dict[str, Any], str]:
    """Return a connection, and where its seller is sent."""
    made = await connect(api, platform_uid="plat_discogs")
    answer = await api.post(f"{PATH}{made['uid']}/authorize/")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    return made, answer.json()["authorization_url"]


def allowed(market: Marketplace, url: str, deed: str = "allow") -> dict[str, str]:
    """Do what the seller does on Discogs' page; return what they come back with."""
    page = httpx.get(url)
    assert "Authorize" in page.text
    [there] = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', page.text) if deed in link]
    back = urlsplit(httpx.get(f"{market.url}{there}").headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"https://shop.example{CALLBACK}"
    return {name: values[0] for name, values in parse_qs(back.query).items()}


async def test_a_seller_consents_and_is_connected(
    api: httpx.AsyncClient, there: Settings, market: Marketplace, key: Key
) -> None:
    made, url = await begun(api)
    assert (made["status"], made["capabilities"]["authorize"]) == ("unauthorized", True)
    brought = allowed(market, url)
    assert brought.keys() == {"state", "oauth_token", "oauth_verifier"}
    del api.headers["Authorization"]
    page = await api.get(CALLBACK, params=brought)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["referrer-policy"] == "no-referrer"
    # A state works once.
    again = await api.get(CALLBACK, params=brought)
    assert (again.status_code, again.json()) == (400, UNEXPECTED)
    api.headers["Authorization"] = f"Bearer {key.text}"
    assert (await shown(api, made))["status"] == "checking"
    assert work(there, made)
    assert (await shown(api, made))["status"] == "connected"
    with Credentials(there.database_url) as credentials, credentials.held(id_of(made)) as held:
        assert held.sealed is not None
        assert Vault(SECRET).open(id_of(made), held.sealed).keys() == {"oauth_token", "oauth_token_secret"}
    # The token has no end, and the verifier is not used again.
    await api.post(f"{PATH}{made['uid']}/test/")
    work(there, made)
    assert (await shown(api, made))["status"] == "connected"
    assert market.vendor.calls["POST /oauth/access_token"] == 1
    assert market.violations == {}


async def test_what_comes_back_for_another_token_or_state_is_refused_and_uses_the_state_up(
    api: httpx.AsyncClient, market: Marketplace
) -> None:
    made, url = await begun(api)
    brought = allowed(market, url)
    guessed = await api.get(CALLBACK, params={**brought, "state": "guessed"})
    assert (guessed.status_code, guessed.json()) == (400, UNEXPECTED)
    assert (await api.get(CALLBACK, params={**brought, "oauth_token": "other"})).json() == UNEXPECTED
    assert (await api.get(CALLBACK, params=brought)).json() == UNEXPECTED
    assert (await shown(api, made))["status"] == "unauthorized"


async def test_two_sellers_states_do_not_open_each_others_connections(
    api: httpx.AsyncClient, there: Settings, market: Marketplace, database_url: str
) -> None:
    mine, url = await begun(api)
    stranger = make_key(database_url, "Stranger")
    async with serving(there, stranger.text) as theirs:
        assert (await theirs.post(f"{PATH}{mine['uid']}/authorize/")).status_code == 404
        made, other_url = await begun(theirs)
        brought, other = allowed(market, url), allowed(market, other_url)
        crossed = await api.get(CALLBACK, params={**brought, "state": other["state"]})
        assert (crossed.status_code, crossed.json()) == (400, UNEXPECTED)
        assert (await api.get(CALLBACK, params=brought)).status_code == 200
        assert (await shown(theirs, made))["status"] == "unauthorized"
    assert (await shown(api, mine))["status"] == "checking"


async def test_a_state_is_good_for_ten_minutes_and_what_it_was_sealed_with_goes(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    _, url = await begun(api)
    brought = allowed(market, url)
    with psycopg.connect(there.database_url, autocommit=True) as database:
        [[sealed]] = database.execute("SELECT sealed IS NOT NULL FROM consent").fetchall()
        assert sealed
        database.execute("UPDATE consent SET until = until - interval '601 seconds'")
        assert (await api.get(CALLBACK, params=brought)).json() == UNEXPECTED
        await begun_again(api)
        database.execute("UPDATE consent SET until = until - interval '601 seconds'")
        with Subscribers(there.database_url) as subscribers:
            subscribers.sweep()
        assert database.execute("SELECT 1 FROM consent").fetchall() == []


async def begun_again(api: httpx.AsyncClient) -> None:
    [made] = (await api.get(PATH)).json()["results"]
    assert (await api.post(f"{PATH}{made['uid']}/authorize/")).status_code == 200


async def test_who_does_not_consent_is_not_connected(api: httpx.AsyncClient, market: Marketplace) -> None:
    made, url = await begun(api)
    brought = allowed(market, url, "deny")
    refused = await api.get(CALLBACK, params=brought)
    assert (refused.status_code, refused.json()) == (400, {"detail": "The marketplace gave no consent."})
    assert (await shown(api, made))["status"] == "unauthorized"


async def test_a_verifier_that_is_too_old_or_used_is_to_be_got_anew(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made, url = await begun(api)
    await api.get(CALLBACK, params=allowed(market, url))
    market.admin("clock", seconds=15 * 60 + 1)
    work(there, made)
    found = await shown(api, made)
    assert (found["status"], "connect again" in found["reason"]) == ("reconnect", True)


async def test_an_exchange_whose_answer_is_lost_ends_in_connecting_again_not_in_a_loop(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made, url = await begun(api)
    await api.get(CALLBACK, params=allowed(market, url))
    market.admin("faults", kind="lost", path="/oauth/access_token")
    with pytest.raises(Postponed):
        work(there, made)
    assert (await shown(api, made))["status"] == "failing"
    work(there, made)
    assert (await shown(api, made))["status"] == "reconnect"


@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        ({"kind": "status", "status": 503}, 503, "Discogs cannot be reached right now. Try again."),
        ({"kind": "status", "status": 429}, 503, "Discogs cannot be reached right now. Try again."),
        ({"kind": "lost"}, 503, "Discogs cannot be reached right now. Try again."),
        ({"kind": "html"}, 503, "Discogs cannot be reached right now. Try again."),
        ({"kind": "status", "status": 422}, 502, "Discogs gave no token (status 422)."),
    ],
)
async def test_while_discogs_is_away_nothing_begins(
    api: httpx.AsyncClient, there: Settings, market: Marketplace, fault: dict[str, Any], status: int, detail: str
) -> None:
    made = await connect(api, platform_uid="plat_discogs")
    market.admin("faults", **fault)
    refused = await api.post(f"{PATH}{made['uid']}/authorize/")
    assert (refused.status_code, refused.json()) == (status, {"detail": detail})
    assert ("retry-after" in refused.headers) is (status == 503)
    with psycopg.connect(there.database_url) as database:
        assert database.execute("SELECT 1 FROM consent").fetchall() == []
    assert (await api.post(f"{PATH}{made['uid']}/authorize/")).status_code == 200


async def test_nobody_answers_and_others_know_no_such_application(
    there: Settings, key: Key, market: Marketplace
) -> None:
    away = replace(there, discogs_api_url=f"http://127.0.0.1:{free_port()}")
    async with serving(away, key.text) as api:
        made = await connect(api, platform_uid="plat_discogs")
        assert (await api.post(f"{PATH}{made['uid']}/authorize/")).status_code == 503
    async with serving(replace(there, discogs_consumer_secret="wrong"), key.text) as api:
        refused = await api.post(f"{PATH}{made['uid']}/authorize/")
        assert (refused.status_code, "does not know this application" in refused.json()["detail"]) == (502, True)


async def test_without_an_application_there_is_the_personal_token(
    there: Settings, key: Key, market: Marketplace
) -> None:
    bare = replace(there, discogs_consumer_key="")
    async with serving(bare, key.text) as api:
        made = await connect(api, platform_uid="plat_discogs", credentials={"token": "discogs-token"})
        refused = await api.post(f"{PATH}{made['uid']}/authorize/")
        reason = "DISCOGS_CONSUMER_KEY and DISCOGS_CONSUMER_SECRET are not set."
        assert (refused.status_code, refused.json()) == (400, {"non_field_errors": [reason]})
        work(bare, made)
        assert (await shown(api, made))["status"] == "connected"


async def test_no_secret_of_a_consent_is_in_a_table_a_log_or_an_answer(
    there: Settings, key: Key, market: Marketplace, capfd: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(market.vendor, Discogs)
    async with serving(replace(there, log_level="info", log_format="json"), key.text) as api:
        made, url = await begun(api)
        oauth = market.vendor.oauth
        [(token, request)] = oauth._request_tokens.items()
        brought = allowed(market, url)
        hidden = {"consumer-secret", request["secret"], brought["oauth_verifier"]}
        answers = [(await api.get(CALLBACK, params=brought)).text]
        work(there, made)
        [(access, secret)] = oauth._access_tokens.items()
        hidden |= {access, secret, token, brought["state"]}
        answers += [
            (await api.get(f"{PATH}{made['uid']}/")).text,
            (await api.get(f"{PATH}{made['uid']}/activity/")).text,
        ]
    said = capfd.readouterr()
    logged = said.out + said.err
    assert "marketplace-connections" in logged
    with psycopg.connect(there.database_url) as database:
        tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [
            row
            for (table,) in tables
            for (row,) in database.execute(f'SELECT t::text FROM "{table}" AS t'.encode()).fetchall()
        ]
    for text in (logged, *answers, *rows):
        for secret in hidden:
            assert secret not in text
            assert secret.encode().hex() not in text


def test_each_request_is_signed_anew_and_spelled_as_the_standard_says(there: Settings) -> None:
    with Web() as web:
        oauth = DiscogsOAuth(web, replace(there, discogs_consumer_secret="a&b c"), lambda: 1700000000.4)
        first, second = (oauth.authorization(Token("to ken", "s=c")) for _ in range(2))
    fields = dict(part.split("=", 1) for part in first.removeprefix("OAuth ").split(", "))
    assert first != second
    assert fields["oauth_timestamp"] == '"1700000000"'
    assert fields["oauth_token"] == '"to%20ken"'
    # The secrets are spelled twice: in the signature, and in the header.
    assert fields["oauth_signature"] == '"a%2526b%2520c%26s%253Dc"'


def test_an_answer_without_a_token_is_none(there: Settings, market: Marketplace) -> None:
    with Web() as web:
        oauth = DiscogsOAuth(web, there)
        market.admin("faults", kind="html")
        with pytest.raises(Declined) as declined:
            oauth.request_token("https://shop.example/")
        assert declined.value.is_passing
        with pytest.raises(Unreadable):
            DiscogsOAuth(web, replace(there, discogs_api_url=f"{market.url}/_sandbox/?"))._asked("GET", "", "OAuth")

"""What eBay tells by itself: the challenge, the signature and its keys, what it makes happen, and how it is set up."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from commands.ebay_signature import NoSignature, PublicKey, parsed
from commands.settings import Settings
from commands.tokens import verification_token
from domain.task.task import subject_uid
from projections.connection import SUBSCRIPTION, subscription_of
from projections.notification import KEYS_A_MINUTE, Subscribers
from sandbox.ebay import Ebay
from sandbox.ebay_notifications import Key as SigningKey
from sandbox.ebay_tokens import SCOPE
from tests.clients import Key, make_key, serving
from tests.marketplaces import Marketplace, ebay
from tests.server import free_port, running
from tests.test_connections import EBAY_APPLICATION, PATH, SECRET, bus_on, connect, id_of, owed, shown, work
from workers.leases import Lease
from workers.marketplaces.registry import Marketplaces
from workers.runner import Over, Postponed
from workers.subscriptions import NOT_HTTPS, SUBSCRIBED, SubscriptionWork

pytestmark = pytest.mark.anyio

WHOLE = [f"{SCOPE}/sell.inventory", f"{SCOPE}/sell.fulfillment", f"{SCOPE}/commerce.notification.subscription"]
ORDERS = "eBay tells of an order: orders are read now."


@pytest.fixture
def market() -> Iterator[Marketplace]:
    with ebay() as there:
        there.admin("notification-settings", allow_http=True, retry_seconds=0.05)
        yield there


@pytest.fixture
def there(plain_settings: Settings, market: Marketplace) -> Settings:
    return replace(
        plain_settings,
        secret_key=SECRET,
        public_url="https://shop.example",
        ebay_api_url=market.url,
        ebay_auth_url=market.url,
        mail_from="shop@example.com",
        **EBAY_APPLICATION,
    )


@pytest.fixture
async def api(there: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(there, key.text) as client:
        yield client


async def connected(api: httpx.AsyncClient, there: Settings, market: Marketplace) -> dict[str, Any]:
    """Return a connection that works, with a round that is owed much later."""
    refresh = market.admin("consents", scopes=WHOLE)["refresh_token"]
    made = await connect(api, platform_uid="plat_ebay", credentials={"refresh_token": refresh})
    assert work(there, made)
    with psycopg.connect(there.database_url, autocommit=True) as database:
        database.execute("UPDATE todo SET due = now() + interval '1 hour' WHERE kind = 'round'")
    return made


def vendor(market: Marketplace) -> Ebay:
    assert isinstance(market.vendor, Ebay)
    return market.vendor


def told(topic: str = "ORDER_CONFIRMATION", **data: Any) -> bytes:
    said = {
        "metadata": {"topic": topic, "schemaVersion": "1.0", "deprecated": False},
        "notification": {"notificationId": str(uuid4()), "eventDate": "2026-01-02T10:00:00.000Z", "data": data},
    }
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()


async def sent(
    api: httpx.AsyncClient, connection: dict[str, Any], body: bytes, signature: str | None
) -> httpx.Response:
    """Send it as eBay does: without a key of ours."""
    headers = {"Content-Type": "application/json", "Authorization": ""}
    if signature is not None:
        headers["X-EBAY-SIGNATURE"] = signature
    return await api.post(f"{PATH}{connection['uid']}/notifications/", content=body, headers=headers)


def hints(there: Settings) -> int:
    with psycopg.connect(there.database_url) as database:
        [[number]] = database.execute("SELECT sum(hints) FROM order_cursor").fetchall()
    return int(number)


def hurried(there: Settings, connection: dict[str, Any]) -> bool:
    query = """SELECT t.due <= now() FROM order_cursor AS c JOIN todo AS t ON t.subject = c.round
        WHERE c.connection = %s"""
    with psycopg.connect(there.database_url) as database:
        [[is_due]] = database.execute(query, [id_of(connection)]).fetchall()
    return bool(is_due)


async def activity(api: httpx.AsyncClient, connection: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is said of notifications, oldest first."""
    url = f"{PATH}{connection['uid']}/activity/?action=notification"
    return [(found["outcome"], found["message"]) for found in reversed((await api.get(url)).json()["results"])]


def key_calls(market: Marketplace) -> int:
    return sum(number for call, number in market.vendor.calls.items() if "/public_key/" in call)


async def test_a_challenge_is_answered_with_what_ebay_and_we_alone_know(api: httpx.AsyncClient) -> None:
    made = await connect(api, platform_uid="plat_ebay")
    url = f"{PATH}{made['uid']}/notifications/"
    answer = await api.get(url, params={"challenge_code": "a code"}, headers={"Authorization": ""})
    mac = hmac.digest(SECRET.encode(), b"notifications" + id_of(made).bytes, "sha256")
    token = base64.urlsafe_b64encode(mac + mac[:1]).decode()
    right = hashlib.sha256(f"a code{token}https://shop.example{url}".encode()).hexdigest()
    assert (answer.status_code, answer.json()) == (200, {"challengeResponse": right})
    assert answer.headers["content-type"] == "application/json"
    assert token not in answer.text
    assert (await api.get(url)).status_code == 400
    assert (await api.get(url, params={"challenge_code": "x" * 1001})).status_code == 400


@given(st.uuids(), st.uuids())
def test_a_verification_token_is_what_ebay_takes_and_one_connections_own(one: UUID, other: UUID) -> None:
    token = verification_token(SECRET, one)
    assert 32 <= len(token) <= 80
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert (token == verification_token(SECRET, other)) is (one == other)
    assert token != verification_token("another secret, long enough", one)


async def test_there_is_an_endpoint_for_connections_to_ebay_alone(api: httpx.AsyncClient, market: Marketplace) -> None:
    made = await connect(api, platform_uid="plat_discogs")
    body = told()
    for uid in (made["uid"], "con_00000000000000000000000000", "con_x", "prod_00000000000000000000000000"):
        url = f"{PATH}{uid}/notifications/"
        assert (await api.get(url, params={"challenge_code": "x"})).status_code == 404
        answer = await sent(api, {"uid": uid}, body, vendor(market).notifications.key.header(body))
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert key_calls(market) == 0


async def test_an_order_is_a_hint_that_has_orders_read_at_once_and_once(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made, key = await connected(api, there, market), vendor(market).notifications.key
    before, body = hints(there), told(orderId="12-1", buyer={"username": "somebody"})
    assert not hurried(there, made)
    answer = await sent(api, made, body, key.header(body))
    assert (answer.status_code, answer.content) == (204, b"")
    assert hurried(there, made)
    assert (hints(there) - before, await activity(api, made)) == (1, [("done", ORDERS)])
    # eBay sends again what it saw no answer to; so may anybody who saw it.
    assert (await sent(api, made, body, key.header(body))).status_code == 204
    assert (hints(there) - before, await activity(api, made)) == (1, [("done", ORDERS)])
    other = told()
    await sent(api, made, other, key.header(other))
    assert hints(there) - before == 2
    assert (key_calls(market), market.violations) == (1, {})


async def test_what_is_not_signed_so_by_ebay_does_nothing(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made, key = await connected(api, there, market), vendor(market).notifications.key
    before, body, stranger = hints(there), told(orderId="12-1"), SigningKey()
    signature = key.header(body)
    said = json.loads(base64.b64decode(signature))

    def header(**changes: Any) -> str:
        return base64.b64encode(json.dumps({**said, **changes}).encode()).decode()

    wrong = [
        (body.replace(b"12-1", b"12-2"), signature),
        (body, key.header(body + b" ")),
        (body, None),
        (body, ""),
        (body, "no base64!"),
        (body, base64.b64encode(b"no json").decode()),
        (body, base64.b64encode(b"[]").decode()),
        (body, base64.b64encode(b'{"kid":"x"}').decode()),
        (body, header(signature="AAAA")),
        (body, header(signature="")),
        (body, header(digest="MD5")),
        (body, header(digest="SHA256")),
        (body, header(alg="hmac")),
        (body, header(kid="../../../sell/fulfillment/v1/order")),
        (body, header(kid="x" * 101)),
        # Signed by somebody: under a name that eBay does not know, and under the name of a key that it does.
        (body, stranger.header(body)),
        (body, header(signature=json.loads(base64.b64decode(stranger.header(body)))["signature"])),
    ]
    for content, given_signature in wrong:
        answer = await sent(api, made, content, given_signature)
        detail = {"detail": "It is not signed by whom it says it is from."}
        assert (answer.status_code, answer.json()) == (412, detail), given_signature
    assert (hints(there), await activity(api, made)) == (before, [])
    # The right key and the stranger's name of one: nothing else was asked for.
    assert key_calls(market) == 2


async def test_a_body_is_taken_as_ebays_own_software_takes_it(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made, key = await connected(api, there, market), vendor(market).notifications.key
    body = told(title="Björk – “Début” 🎶")
    spaced = json.dumps(json.loads(body), indent=2).encode()
    assert (await sent(api, made, spaced, key.header(body))).status_code == 204
    nothing = b'{"metadata":{},"notification":{"notificationId":"x"}}'
    for signed in (nothing, b"[]", b"no json"):
        assert (await sent(api, made, signed, key.header(signed))).status_code == 400
    large = told(text="x" * 65_536)
    assert (await sent(api, made, large, key.header(large))).status_code == 413


async def test_of_one_users_account_nothing_is_kept_but_that_it_was_told(
    api: httpx.AsyncClient, there: Settings, market: Marketplace, capfd: pytest.CaptureFixture[str]
) -> None:
    made, key = await connected(api, there, market), vendor(market).notifications.key
    before = hints(there)
    secret = {"username": "utterly-private", "userId": "ma8vp1jySJC", "eiasToken": "nY+sHZ2PrBmdj6wVnY"}
    for topic in ("MARKETPLACE_ACCOUNT_DELETION", "ANOTHER_TOPIC utterly-private"):
        body = told(topic, **secret)
        assert (await sent(api, made, body, key.header(body))).status_code == 204
    assert (hints(there), await activity(api, made)) == (
        before,
        [
            ("done", "eBay tells of an account that was closed: nothing is kept here of it."),
            ("done", "eBay tells of something else: it was acknowledged, and nothing done."),
        ],
    )
    with psycopg.connect(there.database_url) as database:
        for (table,) in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            for (row,) in database.execute(f'SELECT t::text FROM "{table}" AS t'.encode()).fetchall():
                assert not any(text in row for text in secret.values()), table
    assert "utterly-private" not in "".join(capfd.readouterr())


async def test_what_is_sent_to_one_connection_moves_no_other(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made, key = await connected(api, there, market), vendor(market).notifications.key
    stranger, body = make_key(there.database_url, "Stranger"), told()
    async with serving(there, stranger.text) as theirs:
        other = await connected(theirs, there, market)
        assert (await sent(theirs, other, body, key.header(body))).status_code == 204
        assert (hurried(there, other), hurried(there, made)) == (True, False)
        assert (await activity(theirs, other), await activity(api, made)) == ([("done", ORDERS)], [])
        # What proves us to eBay at one is no proof at the other.
        proofs = [
            (await api.get(f"{PATH}{one['uid']}/notifications/", params={"challenge_code": "x"})).text
            for one in (made, other)
        ]
        assert proofs[0] != proofs[1]
        # Taken once there is not taken once here.
        assert (await sent(api, made, body, key.header(body))).status_code == 204
        assert await activity(api, made) == [("done", ORDERS)]


async def test_a_key_is_asked_for_once_an_hour_by_all_processes_together(
    api: httpx.AsyncClient, there: Settings, market: Marketplace, key: Key
) -> None:
    made, signing = await connected(api, there, market), vendor(market).notifications.key
    market.admin("faults", kind="slow", path="/commerce", seconds=0.3)
    async with serving(there, key.text) as second:
        bodies = [told() for _ in range(8)]
        done: list[int] = []

        async def one(client: httpx.AsyncClient, body: bytes) -> None:
            done.append((await sent(client, made, body, signing.header(body))).status_code)

        async with anyio.create_task_group() as group:
            for number, body in enumerate(bodies):
                group.start_soon(one, (api, second)[number % 2], body)
    assert (done, key_calls(market)) == ([204] * 8, 1)
    with psycopg.connect(there.database_url, autocommit=True) as database:
        database.execute(
            "UPDATE ebay_key SET answered = now() - interval '61 minutes', asked = now() - interval '1 hour'"
        )
    # While eBay is away what came in time goes on, and what did not is to be sent again.
    market.admin("faults", kind="status", status=503, path="/commerce", times=1)
    body = told()
    away = await sent(api, made, body, signing.header(body))
    assert (away.status_code, "retry-after" in away.headers) == (503, True)
    with psycopg.connect(there.database_url, autocommit=True) as database:
        database.execute("UPDATE ebay_key SET asked = now() - interval '16 seconds'")
    again = await sent(api, made, body, signing.header(body))
    assert (again.status_code, key_calls(market)) == (204, 3), again.text


async def test_who_makes_up_names_of_keys_does_not_have_ebay_asked_for_each(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made, key = await connected(api, there, market), vendor(market).notifications.key
    body = told()
    assert (await sent(api, made, body, key.header(body))).status_code == 204
    statuses = []
    for number in range(KEYS_A_MINUTE + 5):
        said = {"alg": "ecdsa", "kid": f"made-up-{number}", "signature": "AAAA", "digest": "SHA1"}
        header = base64.b64encode(json.dumps(said).encode()).decode()
        statuses.append((await sent(api, made, body, header)).status_code)
        again = await sent(api, made, body, header)
        assert again.status_code == statuses[-1]
    # One was the right key.
    assert statuses == [412] * (KEYS_A_MINUTE - 1) + [503] * 6
    assert key_calls(market) == KEYS_A_MINUTE
    other = told()
    assert (await sent(api, made, other, key.header(other))).status_code == 204
    with (
        Subscribers(there.database_url) as subscribers,
        psycopg.connect(there.database_url, autocommit=True) as database,
    ):
        database.execute("UPDATE ebay_key SET asked = now() - interval '2 days'")
        database.execute("UPDATE notification SET taken = now() - interval '8 days'")
        subscribers.sweep()
        for table in ("ebay_key", "notification"):
            assert database.execute(f"SELECT 1 FROM {table}".encode()).fetchall() == []


async def test_without_an_application_no_key_can_be_had(there: Settings, key: Key, market: Marketplace) -> None:
    async with serving(replace(there, ebay_client_secret=""), key.text) as api:
        made, body = await connect(api, platform_uid="plat_ebay"), told()
        assert (await sent(api, made, body, vendor(market).notifications.key.header(body))).status_code == 503


def test_what_ebay_shows_of_a_key_is_read_with_line_breaks_and_without() -> None:
    key, body = SigningKey(), b'{"a":1}'
    assert "\n" not in key.shown
    signature = parsed(key.header(body))
    broken = key.shown.replace("KEY-----", "KEY-----\n", 1).replace("-----END", "\n-----END")
    for pem in (key.shown, broken, f"{broken}\n"):
        assert PublicKey(pem).signed(signature, body)
        assert PublicKey(pem).signed(signature, b'{ "a": 1 }')
        assert not PublicKey(pem).signed(signature, b'{"a":2}')


@given(st.text(max_size=300))
def test_whatever_a_header_holds_it_is_a_signature_or_none(text: str) -> None:
    for header in (text, base64.b64encode(text.encode(errors="replace")).decode()):
        with pytest.raises(NoSignature):
            parsed(header)


def subscribe(settings: Settings, connection: dict[str, Any]) -> Any:
    """Do what a worker does to have notifications sent."""
    subject = subscription_of(id_of(connection))
    with bus_on(settings) as bus, Marketplaces(settings) as marketplaces:
        found = SubscriptionWork.take(bus, settings, marketplaces, subject)
        return None if found is None else found.attempt(Lease(subject, uuid7(), 1, threading.Event(), 60.0))


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_ebay_is_asked_to_tell_and_tells_until_it_is_heard(
    there: Settings, key: Key, market: Marketplace, tmp_path: Path
) -> None:
    port = free_port()
    here = replace(there, public_url=f"http://127.0.0.1:{port}")
    bearer = {"Authorization": f"Bearer {key.text}"}
    with running(here, tmp_path / "api.log", port):
        async with httpx.AsyncClient(base_url=here.public_url, headers=bearer) as api:
            made = await connected(api, here, market)
            assert SUBSCRIPTION in owed(here)
            listing = market.admin("listings")["listingId"]
            assert subscribe(here, made) == Over()
            # It may be done again at any time: what is there is left.
            assert subscribe(here, made) == Over()
            assert await activity(api, made) == [("done", SUBSCRIBED)] * 2
            state = market.client.get("/_sandbox/state").json()
            [destination], [subscription] = state["destinations"], state["subscriptions"]
            assert destination["endpoint"] == f"{here.public_url}{PATH}{made['uid']}/notifications/"
            assert (subscription["topicId"], state["alert_email"]) == ("ORDER_CONFIRMATION", "shop@example.com")
            # The first time eBay cannot be asked for its key: so it tells again.
            market.admin("faults", kind="status", status=503, path="/commerce/notification/v1/public_key")
            market.admin("sales", listing_id=listing)
            until(lambda: vendor(market).notifications.sent[0]["statuses"][:1] == [503])
            with psycopg.connect(here.database_url, autocommit=True) as database:
                database.execute("UPDATE ebay_key SET asked = now() - interval '16 seconds'")
            until(lambda: vendor(market).notifications.sent[0]["is_over"])
            assert vendor(market).notifications.sent[0]["statuses"][-1] == 204
            assert hurried(here, made)
            assert (await activity(api, made))[2:] == [("done", ORDERS)]
            # Given up by eBay, and revived with the next test.
            vendor(market).notifications.destinations[destination["destinationId"]]["status"] = "MARKED_DOWN"
            vendor(market).notifications.subscriptions[subscription["subscriptionId"]]["status"] = "DISABLED"
            subscribe(here, made)
            state = market.client.get("/_sandbox/state").json()
            assert [one["status"] for one in (*state["destinations"], *state["subscriptions"])] == ["ENABLED"] * 2
    assert market.violations == {}


async def test_where_ebay_does_not_tell_it_is_said_and_the_connection_works(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made = await connected(api, there, market)
    market.admin("faults", kind="status", status=503, path="/commerce")
    with pytest.raises(Postponed):
        subscribe(there, made)
    # Nobody answers at shop.example.
    with pytest.raises(Postponed):
        subscribe(there, made)
    refresh = market.admin("consents")["refresh_token"]
    await api.patch(f"{PATH}{made['uid']}/", json={"credentials": {"refresh_token": refresh}})
    work(there, made)
    said = await activity(api, made)
    assert said == [
        ("failed", "eBay answered with status 503."),
        ("failed", "eBay could not reach PUBLIC_URL, or was not answered as it wants to be."),
    ]
    assert (await shown(api, made))["status"] == "connected"


async def test_without_the_scope_or_an_https_address_nobody_is_asked(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made = await connected(api, there, market)
    bare = replace(there, public_url="http://shop.example", ebay_api_url="https://api.ebay.example")
    assert subscribe(bare, made) == Over()
    assert subscribe(replace(there, public_url=""), made) == Over()
    assert await activity(api, made) == [("skipped", NOT_HTTPS)] * 2
    assert not any("/commerce/" in call for call in market.vendor.calls)
    url = f"https://shop.example{PATH}{made['uid']}/notifications/"
    known = {"destinationId": "1", "name": "one", "status": "ENABLED", "endpoint": url}
    vendor(market).notifications.destinations["1"] = known
    vendor(market).notifications.alert_email = "others@example.com"
    refresh = market.admin("consents", scopes=WHOLE[:2])["refresh_token"]
    await api.patch(f"{PATH}{made['uid']}/", json={"credentials": {"refresh_token": refresh}})
    work(there, made)
    assert subscribe(there, made) == Over()
    assert (await activity(api, made))[-1] == (
        "failed",
        "The seller's consent does not include notifications: authorize again.",
    )
    assert (await shown(api, made))["status"] == "connected"
    # What somebody else has set is left.
    assert vendor(market).notifications.alert_email == "others@example.com"


async def test_with_the_connection_what_was_to_be_set_up_goes(
    api: httpx.AsyncClient, there: Settings, market: Marketplace
) -> None:
    made = await connected(api, there, market)
    assert subject_uid(SUBSCRIPTION, subscription_of(id_of(made))).startswith("subscription_")
    assert SUBSCRIPTION in owed(there)
    await api.delete(f"{PATH}{made['uid']}/")
    assert SUBSCRIPTION not in owed(there)
    assert subscribe(there, made) is None
    body = told()
    assert (await sent(api, made, body, vendor(market).notifications.key.header(body))).status_code == 404

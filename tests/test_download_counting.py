"""What counts as a download, against a model that knows nothing of streams and rows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.bus import Bus
from commands.download import OpenDownloads, Sent, note_sent
from commands.purchase import RestorePurchase, RevokePurchase
from commands.store import Store
from commands.work import Context
from domain.purchase import purchase as purchases
from domain.purchase.errors import Expired, Revoked, UsedUp
from domain.purchase.purchase import Purchase
from tests.clients import Key
from tests.selling import bus_of, digital_product, sold

START = datetime(2091, 1, 1, tzinfo=UTC)
FILES = ("a.wav", "b.wav", "c.wav")

_get = st.tuples(st.sampled_from(["198.51.100.1", "198.51.100.2"]), st.sets(st.integers(0, 2), min_size=1))
_deeds = st.tuples(st.integers(0, 31), _get | st.sampled_from(["revoke", "restore"]))


class Model:
    """The rule in plain words: who began what, and when."""

    def __init__(self, most: int | None, expires: datetime | None) -> None:
        self.most = most
        self.expires = expires
        self.is_revoked = False
        self.begun: list[tuple[str, int, datetime]] = []

    def get(self, now: datetime, ip: str, files: set[int]) -> type[Exception] | None:
        half_an_hour_ago = now - timedelta(minutes=30)
        new = [f for f in files if not any(b[:2] == (ip, f) and b[2] > half_an_hour_ago for b in self.begun)]
        if not new:
            return None
        if self.is_revoked:
            return Revoked
        if self.expires is not None and now >= self.expires:
            return Expired
        if self.most is not None and len(self.begun) + len(new) > self.most:
            return UsedUp
        self.begun += [(ip, f, now) for f in new]
        return None


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with bus_of(database_url) as bus:
        yield bus.store


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.none() | st.integers(1, 6), st.none() | st.integers(1, 120), st.lists(_deeds, max_size=12))
def test_a_download_is_a_file_by_an_address_within_half_an_hour(
    store: Store, key: Key, database_url: str, most: int | None, lasts: int | None, deeds: list[tuple[int, Any]]
) -> None:
    now = START
    bus = Bus(store, clock=lambda: now)
    expires = None if lasts is None else START + timedelta(minutes=lasts)
    product = digital_product(bus, key.organization, *FILES)
    id = sold(bus, key.organization, product, max_downloads=most, expires_at=expires)
    assets = [asset.id for asset in load(store, id).assets]
    model = Model(most, expires)
    context = Context(key.organization, "buyer", "request-1")
    for minutes, deed in deeds:
        now += timedelta(minutes=minutes)
        if isinstance(deed, str):
            model.is_revoked = deed == "revoke"
            bus.execute(RevokePurchase(id=id) if model.is_revoked else RestorePurchase(id=id), context)
            continue
        ip, files = deed
        wanted = tuple(assets[number] for number in sorted(files))
        command = OpenDownloads(purchase=id, assets=wanted, ip=ip, user_agent=None)
        refused = model.get(now, ip, files)
        if refused is None:
            bus.execute(command, context)
        else:
            with pytest.raises(refused):
                bus.execute(command, context)
        assert load(store, id).download_count == len(model.begun)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT ip, asset, started FROM download WHERE purchase = %s", [id]).fetchall()
    assert sorted(rows) == sorted((ip, assets[number], at) for ip, number, at in model.begun)


def load(store: Store, id: UUID) -> Purchase:
    found = store.load(id, purchases.fold)
    assert found is not None
    return found


_spans = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_spans, max_size=8))
def test_a_download_is_completed_once_every_byte_was_sent(
    store: Store, key: Key, database_url: str, spans: list[list[int]]
) -> None:
    bus = Bus(store)
    id = sold(bus, key.organization)
    [asset] = load(store, id).assets
    command = OpenDownloads(purchase=id, assets=(asset.id,), ip="198.51.100.1", user_agent=None)
    bus.execute(command, Context(key.organization, "buyer", "request-1"))
    sent: set[int] = set()
    total = 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        [[download]] = connection.execute("SELECT id FROM download WHERE purchase = %s", [id]).fetchall()
        for start, end in spans:
            note_sent(store, [Sent(download, start, end)])
            sent |= set(range(start, end))
            total += end - start
            row = connection.execute("SELECT bytes_sent, completed FROM download WHERE id = %s", [download]).fetchone()
            assert row == (total, sent == set(range(asset.size_bytes)))

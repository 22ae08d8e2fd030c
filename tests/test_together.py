"""Saves that come at once share a transaction, and each gets the answer that it would get alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from commands.save import Claim, Receipt, Replayed, Save, Saved
from commands.store import Store
from commands.together import LATE_SECONDS, Together
from commands.waiting import in_loop
from domain.errors import Conflict, Taken
from domain.event import Change
from domain.product import product as products
from projections.catalogue import CatalogueProjection
from tests.scenario import ORGANIZATION, STAMP

pytestmark = pytest.mark.anyio

AT_ONCE = 20


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with Store.opened_in_loop(database_url, [CatalogueProjection()], 4) as store:
        yield store


def created(id: UUID | None = None, title: str = "Abbey Road") -> Change:
    event = products.create(id or uuid7(), {"title": title, "type": "physical"}, STAMP)
    return Change(event.originator_id, None, [event], products.evolve(None, event))


async def save(store: Store, change: Change, claim: str | None = None, receipt: Receipt | None = None) -> Saved:
    claims = [] if claim is None else [Claim(ORGANIZATION, "import", claim, change.id)]
    return await in_loop(partial(store.save, [change], claims=claims, receipt=receipt))


def transactions(database_url: str) -> list[int]:
    """Return how many events each transaction appended."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT count(*) FROM events GROUP BY xmin ORDER BY 1").fetchall()
    return [row[0] for row in rows]


async def test_saves_at_once_share_a_transaction_and_each_gets_its_own_document_and_position(
    database_url: str, store: Store
) -> None:
    changes = [created(title=str(number)) for number in range(AT_ONCE)]
    saved = await asyncio.gather(*(save(store, change) for change in changes))
    assert len(transactions(database_url)) < AT_ONCE / 2
    for change, answer in zip(changes, saved, strict=True):
        assert list(answer.documents) == [change.id]
        assert f'"title":"{change.after.title}"' in answer.documents[change.id]
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT originator_id, notification_id FROM events").fetchall()
    positions: dict[UUID, int] = {row[0]: row[1] for row in rows}
    assert [positions[change.id] for change in changes] == [answer.positions[0] for answer in saved]


async def test_a_save_alone_has_a_transaction_alone(database_url: str, store: Store) -> None:
    for _ in range(3):
        await save(store, created())
    assert transactions(database_url) == [1, 1, 1]


async def test_one_that_is_refused_takes_nobody_with_it(store: Store) -> None:
    await save(store, created(), claim="discogs:1")
    known = created()
    await save(store, known)
    work = [save(store, created(), claim="discogs:1"), save(store, created(known.id))]
    work += [save(store, created(), claim=f"discogs:{n}") for n in range(2, AT_ONCE)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Taken, Conflict, *[Saved] * (AT_ONCE - 2)]


async def test_twins_of_one_idempotency_key_make_one_product(database_url: str, store: Store) -> None:
    def twin(key: str) -> Receipt:
        return Receipt(ORGANIZATION, key, b"digest", 201, body="{}")

    keys = [f"key {number // 2}" for number in range(AT_ONCE)]
    outcomes = await asyncio.gather(
        *(save(store, created(), receipt=twin(key)) for key in keys), return_exceptions=True
    )
    assert sum(isinstance(outcome, Saved) for outcome in outcomes) == AT_ONCE / 2
    assert sum(isinstance(outcome, Replayed) for outcome in outcomes) == AT_ONCE / 2
    assert sum(transactions(database_url)) == AT_ONCE / 2


async def test_two_saves_of_one_aggregate_never_share() -> None:
    batches: list[list[UUID]] = []

    async def write(saves: Sequence[Save]) -> list[Saved]:
        batches.append([save.changes[0].id for save in saves])
        await asyncio.sleep(0)
        return [Saved((), {}) for _ in saves]

    together = Together(write)
    one, other = created(), created()
    await asyncio.gather(*(together.save(Save([change])) for change in (one, one, other, one)))
    await together.close()
    assert batches == [[one.id, other.id], [one.id], [one.id]]


async def test_nobody_waits_for_a_transaction_that_waits_for_a_lock() -> None:
    free = asyncio.Event()
    stuck = created()

    async def write(saves: Sequence[Save]) -> list[Saved]:
        if saves[0].changes[0] is stuck:
            await free.wait()
        return [Saved((), {}) for _ in saves]

    together = Together(write)
    slow = asyncio.create_task(together.save(Save([stuck])))
    await asyncio.sleep(LATE_SECONDS / 4)
    async with asyncio.timeout(20 * LATE_SECONDS):
        for _ in range(3):
            await together.save(Save([created()]))
    assert not slow.done()
    free.set()
    await slow
    await together.close()

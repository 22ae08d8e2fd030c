"""Items and presences with their product, on a real database: nothing is left behind, nothing is counted twice."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
import uuid_utils.compat

from commands.asset import CreateAsset, DeleteAsset, ReviseAsset
from commands.bus import Bus
from commands.inventory import AddPhoto, CreateItem, DeleteItem, RemovePhoto, ReviseItem
from commands.presence import DUPLICATE, CreatePresence, DeletePresence, RevisePresence
from commands.product import CreateProduct, DeleteProduct, RemoveImage, ReplaceImage, ReviseProduct
from commands.save import Receipt, Replayed, Saved
from commands.store import Store
from commands.work import Context
from domain import ids
from domain.asset import asset as assets
from domain.errors import Busy, Invalid, NotFound
from domain.image import Image
from domain.inventory import inventory
from domain.presence import presence as presences
from domain.presence.form import CREATE as PRESENCE_FORM
from domain.product import product as products
from projections.inline import inline_projections
from tests.scenario import ORGANIZATION

CONTEXT = Context(ORGANIZATION, "key_1", "request-1")
STRANGER = CONTEXT._replace(organization=UUID(int=9))
COVER = Image(
    id=UUID(int=8),
    blob="org/images/token/image.jpg",
    content_type="image/jpeg",
    width=800,
    height=600,
    size_bytes=123_456,
    filename="cover.jpg",
)


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, inline_projections())
    yield Bus(store)
    store.close()


@pytest.fixture
def other(database_url: str) -> Iterator[Bus]:
    """Another process, as far as the database can tell."""
    store = Store(database_url, inline_projections())
    yield Bus(store)
    store.close()


def new_product(bus: Bus, **values: Any) -> UUID:
    [id] = bus.execute(CreateProduct(values={"title": "Abbey Road", "type": "physical", **values}), CONTEXT).documents
    return id


def item_of(product: UUID, **values: Any) -> CreateItem:
    return CreateItem(id=uuid_utils.compat.uuid7(), product=product, values={"status": "received", **values})


def presence_of(product: UUID, listing: str | None = None, platform: str = "plat_ebay") -> CreatePresence:
    sent = {"platform_uid": platform, "external_listing_id": listing}
    return CreatePresence(id=uuid_utils.compat.uuid7(), product=product, values=PRESENCE_FORM.parse(sent).values)


def asset_of(product: UUID, **values: Any) -> CreateAsset:
    file = {"filename": "a.zip", "content_type": "application/zip", "size_bytes": 9, "sha256": "ab" * 32, "blob": "k"}
    return CreateAsset(id=uuid_utils.compat.uuid7(), product=product, values={**file, **values})


def made(bus: Bus, command: CreateItem | CreatePresence | CreateAsset) -> UUID:
    bus.execute(command, CONTEXT)
    assert command.id is not None
    return command.id


def rows(database_url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def together(*asked: tuple[Bus, Any], receipt: Receipt | None = None) -> list[Any]:
    """Execute the commands at once, each in a thread; return what each returns or raises, in their order.

    A client that is told that there are too many writes tries again.
    """
    start = threading.Barrier(len(asked))
    outcomes: list[Any] = [None] * len(asked)

    def run(place: int, bus: Bus, command: Any) -> None:
        start.wait()
        while outcomes[place] is None:
            try:
                outcomes[place] = bus.execute(command, CONTEXT, receipt=receipt)
            except Busy:
                continue
            except Exception as error:  # noqa: BLE001 - it is what the test is about
                outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place, *pair)) for place, pair in enumerate(asked)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def refusal(bus: Bus, command: Any) -> Mapping[str, Any]:
    with pytest.raises(Invalid) as refused:
        bus.execute(command, CONTEXT)
    return refused.value.errors


def test_a_product_that_goes_takes_its_items_and_presences_with_it(bus: Bus, database_url: str) -> None:
    product, kept = new_product(bus), new_product(bus)
    items = [made(bus, item_of(product)), made(bus, item_of(product))]
    presence, stays = made(bus, presence_of(product, "39")), made(bus, item_of(kept))
    bus.execute(DeleteProduct(product), CONTEXT)
    assert [bus.store.load(id, inventory.fold) for id in items] == [None, None]
    assert bus.store.load(presence, presences.fold) is None
    assert bus.store.load(product, products.fold) is None
    assert (
        rows(database_url, "SELECT id FROM child") == rows(database_url, "SELECT id FROM inventory_list") == [(stays,)]
    )
    assert rows(database_url, "SELECT id FROM presence_list") == rows(database_url, "SELECT 1 FROM claim") == []
    for command in (ReviseItem(id=items[0], values={}), DeleteItem(id=items[1]), DeletePresence(presence, product)):
        with pytest.raises(NotFound):
            bus.execute(command, CONTEXT)


def test_no_child_outlives_a_product_that_is_deleted_while_it_is_made(bus: Bus, other: Bus, database_url: str) -> None:
    outcomes: list[Any] = []
    for _ in range(25):
        product = new_product(bus)
        made(bus, item_of(product))
        gone, *rest = together(
            (bus, DeleteProduct(product)),
            (other, item_of(product)),
            (other, presence_of(product, "39")),
            (bus, item_of(product)),
        )
        assert isinstance(gone, Saved)
        outcomes.extend(rest)
    kept = sum(isinstance(outcome, Saved) for outcome in outcomes)
    assert kept + sum(isinstance(outcome, NotFound | Invalid) for outcome in outcomes) == 75
    assert rows(database_url, "SELECT id FROM child") == rows(database_url, "SELECT id FROM inventory_list") == []
    born = rows(database_url, "SELECT count(*) FROM events WHERE topic ~ '^(inventory|presence).created'")
    died = rows(database_url, "SELECT count(*) FROM events WHERE topic ~ '^(inventory|presence).deleted'")
    assert born == died == [(25 + kept,)]


def test_of_assets_made_moved_and_deleted_at_once_one_is_primary(bus: Bus, other: Bus, database_url: str) -> None:
    product = new_product(bus, type="digital")
    primary = "SELECT count(*) FILTER (WHERE is_primary) FROM asset_list"
    commands = [asset_of(product, is_primary=number % 2 == 0) for number in range(8)]
    together(*zip([bus, other] * 4, commands, strict=True))
    assert rows(database_url, primary) == [(1,)]
    ids = [command.id for command in commands]
    outcomes = together(
        *((bus, ReviseAsset(id=id, product=product, values={"is_primary": True})) for id in ids[:4]),
        *((other, DeleteAsset(id, product)) for id in ids[2:6]),
    )
    assert all(isinstance(outcome, Saved | NotFound) for outcome in outcomes)
    assert rows(database_url, primary) == [(1,)]
    left = [asset for id in ids if (asset := bus.store.load(id, assets.fold)) is not None]
    assert sum(asset.is_primary for asset in left) == 1
    assert len(left) == 4


def test_no_asset_outlives_a_product_that_is_deleted_while_it_is_made(bus: Bus, other: Bus, database_url: str) -> None:
    for _ in range(10):
        product = new_product(bus, type="digital")
        kept = made(bus, asset_of(product))
        gone, *_ = together(
            (bus, DeleteProduct(product)), (other, asset_of(product)), (other, DeleteAsset(kept, product))
        )
        assert isinstance(gone, Saved)
    assert rows(database_url, "SELECT id FROM child") == rows(database_url, "SELECT id FROM asset_list") == []
    assert rows(database_url, "SELECT id FROM asset_file WHERE free_since IS NULL") == []


def test_items_made_at_once_have_numbers_without_gaps(bus: Bus, other: Bus) -> None:
    product = new_product(bus)
    commands = [item_of(product) for _ in range(16)]
    together(*zip([bus, other] * 8, commands, strict=True))
    items = [bus.store.load(command.id, inventory.fold) for command in commands if command.id]
    assert sorted(item.number for item in items if item) == list(range(1, 17))


def test_the_number_of_an_item_that_is_gone_is_not_given_again(bus: Bus) -> None:
    product = new_product(bus)
    for number in (1, 2, 3):
        id = made(bus, item_of(product))
        item = bus.store.load(id, inventory.fold)
        assert item is not None
        assert item.number == number
        bus.execute(DeleteItem(id=id), CONTEXT)


def test_a_product_whose_children_went_before_can_be_renamed_and_deleted(bus: Bus) -> None:
    product = new_product(bus)
    bus.execute(DeleteItem(id=made(bus, item_of(product))), CONTEXT)
    bus.execute(DeletePresence(made(bus, presence_of(product)), product), CONTEXT)
    bus.execute(ReviseProduct(id=product, values={"title": "Help!"}), CONTEXT)
    bus.execute(DeleteProduct(product), CONTEXT)
    assert bus.store.family(product) is None


def test_of_many_presences_of_one_listing_made_at_once_there_is_one(bus: Bus, other: Bus) -> None:
    product = new_product(bus)
    outcomes = together(*((by, presence_of(product, "39")) for by in [bus, other] * 4))
    assert sum(isinstance(outcome, Saved) for outcome in outcomes) == 1
    refused = [outcome.errors for outcome in outcomes if isinstance(outcome, Invalid)]
    assert refused == [{"non_field_errors": [DUPLICATE]}] * 7


def test_a_listing_is_one_presences_on_its_platform_of_its_product(bus: Bus) -> None:
    product = new_product(bus)
    made(bus, presence_of(product, "39"))
    assert refusal(bus, presence_of(product, "39")) == {"non_field_errors": [DUPLICATE]}
    made(bus, presence_of(product, "39", "plat_discogs"))
    made(bus, presence_of(new_product(bus), "39"))
    for without in (None, None, "", ""):
        made(bus, presence_of(product, without))


def test_a_listing_that_moves_on_frees_its_id(bus: Bus) -> None:
    product = new_product(bus)
    first, second = made(bus, presence_of(product, "1")), made(bus, presence_of(product, "2"))

    def revise(id: UUID, **values: Any) -> RevisePresence:
        return RevisePresence(id=id, product=product, values=values)

    assert refusal(bus, revise(second, external_listing_id="1")) == {"non_field_errors": [DUPLICATE]}
    bus.execute(revise(first, external_listing_id="3"), CONTEXT)
    bus.execute(revise(second, external_listing_id="1"), CONTEXT)
    bus.execute(revise(first, platform_uid="plat_discogs"), CONTEXT)
    third = made(bus, presence_of(product, "3"))
    assert refusal(bus, revise(first, platform_uid="plat_ebay")) == {"non_field_errors": [DUPLICATE]}
    bus.execute(DeletePresence(third, product), CONTEXT)
    bus.execute(revise(first, platform_uid="plat_ebay"), CONTEXT)
    bus.execute(revise(first, external_listing_id=None), CONTEXT)
    made(bus, presence_of(product, "3"))


def test_twins_with_one_key_are_answered_alike_though_one_took_the_listing(bus: Bus, other: Bus) -> None:
    product = new_product(bus)
    receipt = Receipt(ORGANIZATION, "key", b"digest", 201)
    outcomes = together(*((by, presence_of(product, "39")) for by in [bus, other] * 3), receipt=receipt)
    [saved] = [outcome for outcome in outcomes if isinstance(outcome, Saved)]
    replayed = [outcome.receipt.body for outcome in outcomes if isinstance(outcome, Replayed)]
    assert replayed == [*saved.documents.values()] * 5


def test_items_show_what_their_product_is_called_now(bus: Bus, database_url: str) -> None:
    product = new_product(bus, catalog_number="PCS 7088")
    made(bus, item_of(product, condition_item="vg_plus"))
    made(bus, item_of(product, name="Signed"))
    values = {"title": "Help!", "catalog_number": "PMC 1255"}
    bus.execute(ReviseProduct(id=product, values=values), CONTEXT)
    found = rows(database_url, "SELECT summary || '}' FROM inventory_list ORDER BY number")
    shown = [msgspec.json.decode(summary) for (summary,) in found]
    assert [(item["title"], item["resolved_sku"]) for item in shown] == [
        ("Help! — VG+", "PMC-1255-001"),
        ("Signed", "PMC-1255-002"),
    ]


def test_an_item_that_is_written_while_its_product_is_renamed_shows_the_new_name(
    bus: Bus, other: Bus, database_url: str
) -> None:
    product = new_product(bus)
    item = made(bus, item_of(product))
    for take in range(25):
        title = f"Take {take}"
        outcomes = together(
            (bus, ReviseProduct(id=product, values={"title": title})),
            (other, ReviseItem(id=item, values={"manual_sku": title})),
            (other, item_of(product)),
        )
        assert all(isinstance(outcome, Saved) for outcome in outcomes)
        found = rows(database_url, "SELECT summary || '}' FROM inventory_list")
        assert {msgspec.json.decode(summary)["title"] for (summary,) in found} == {title}


def test_all_that_is_wrong_is_said_at_once(bus: Bus) -> None:
    nowhere = uuid_utils.compat.uuid7()
    missing = f"Object with uid={ids.uid(ids.PRODUCT, nowhere)} does not exist."
    item = made(bus, item_of(new_product(bus), status="shipped"))
    form = {"name": ["Not a valid string."]}
    assert refusal(bus, CreateItem(product=nowhere, values={}, errors=form)) == {**form, "product_uid": [missing]}
    assert refusal(bus, CreateItem(product=None, values={}, errors=form)) == form
    revision = ReviseItem(id=item, values={"status": "draft"}, errors=form)
    assert refusal(bus, revision) == {**form, "status": ["An item that is shipped cannot go back to draft."]}


def test_what_is_not_there_is_not_found_whatever_is_said_of_it(bus: Bus) -> None:
    nowhere, errors = uuid_utils.compat.uuid7(), {"status": ["wrong"]}
    presence = made(bus, presence_of(new_product(bus)))
    for command in (
        CreatePresence(product=nowhere, values={}, errors=errors),
        RevisePresence(id=presence, product=new_product(bus), values={}, errors=errors),
        DeletePresence(presence, nowhere),
        ReviseItem(id=presence, values={}, errors=errors),
        AddPhoto(id=nowhere, image=COVER),
        RemovePhoto(id=made(bus, item_of(new_product(bus))), photo=nowhere),
        RemoveImage(new_product(bus)),
    ):
        with pytest.raises(NotFound):
            bus.execute(command, CONTEXT)


def test_another_organizations_items_and_presences_are_not_there(bus: Bus) -> None:
    product = new_product(bus)
    item, presence = made(bus, item_of(product)), made(bus, presence_of(product))
    for command in (
        ReviseItem(id=item, values={}),
        AddPhoto(id=item, image=COVER),
        DeleteItem(id=item),
        presence_of(product, "1"),
        RevisePresence(id=presence, product=product, values={}),
        DeletePresence(presence, product),
        ReplaceImage(product, COVER),
    ):
        with pytest.raises(NotFound):
            bus.execute(command, STRANGER)
    with pytest.raises(Invalid):
        bus.execute(CreateItem(product=product, values={"status": "draft"}), STRANGER)


def test_a_revision_to_what_holds_already_writes_nothing(bus: Bus, database_url: str) -> None:
    product = new_product(bus)
    item, presence = made(bus, item_of(product)), made(bus, presence_of(product))
    before = rows(database_url, "SELECT revision FROM catalogue")
    bus.execute(ReviseItem(id=item, values={"status": "received"}), CONTEXT)
    bus.execute(RevisePresence(id=presence, product=product, values={"status": "draft"}), CONTEXT)
    assert rows(database_url, "SELECT revision FROM catalogue") == before


def test_a_new_image_is_answered_again_with_the_whole_product(bus: Bus) -> None:
    product = new_product(bus)
    item = made(bus, item_of(product))
    receipt = Receipt(ORGANIZATION, "key", b"digest", 200)
    bus.execute(ReplaceImage(product, COVER), CONTEXT, receipt=receipt)
    with pytest.raises(Replayed) as replayed:
        bus.execute(ReplaceImage(product, COVER), CONTEXT, receipt=receipt)
    body = replayed.value.receipt.body
    assert body is not None
    assert ids.uid(ids.PRODUCT, product) in body
    assert ids.uid(ids.INVENTORY, item) in body


def test_a_photo_is_answered_again_with_itself(bus: Bus) -> None:
    item = made(bus, item_of(new_product(bus)))
    receipt = Receipt(ORGANIZATION, "key", b"digest", 201)
    bus.execute(AddPhoto(id=item, image=COVER), CONTEXT, receipt=receipt)
    with pytest.raises(Replayed) as replayed:
        bus.execute(AddPhoto(id=item, image=COVER), CONTEXT, receipt=receipt)
    assert '"filename":"cover.jpg"' in (replayed.value.receipt.body or "")
    bus.execute(RemovePhoto(id=item, photo=COVER.id), CONTEXT)
    with pytest.raises(NotFound):
        bus.execute(RemovePhoto(id=item, photo=COVER.id), CONTEXT)

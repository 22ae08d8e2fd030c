from datetime import timedelta
from decimal import Decimal
from itertools import product as pairs
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.choices import CONTAINER_CONDITIONS, GRADE_TIERS, INVENTORY_STATUSES, ITEM_CONDITIONS
from domain.errors import Invalid, NotFound
from domain.event import DomainEvent
from domain.image import Image, Photo
from domain.inventory import inventory
from domain.inventory.described import grade_tier, resolved_sku, title
from domain.inventory.events import ItemCreated, ItemDeleted, ItemRevised, PhotoAdded, PhotoRemoved
from domain.inventory.form import CREATE, REVISE
from domain.inventory.inventory import MAX_PHOTOS, Item, fold
from domain.product import product as products
from domain.product.product import Product
from domain.vocabulary import EVENTS
from tests.scenario import NOW, STAMP, scenario

ID, PRODUCT = UUID("01a20000-0000-7000-8000-0000000000cc"), UUID("01a20000-0000-7000-8000-0000000000aa")
LATER = STAMP._replace(timestamp=NOW + timedelta(days=1), actor="system")
FRONT = Image(
    id=UUID(int=1),
    blob="images/1/original",
    content_type="image/jpeg",
    width=800,
    height=600,
    size_bytes=123_456,
    filename="front.jpg",
)
BACK = replace(FRONT, id=UUID(int=2), filename="back.jpg")

given = scenario(inventory.evolve)
created = inventory.create(ID, PRODUCT, 1, {"status": "received", "condition_item": "vg_plus"}, STAMP)


def item(*events: DomainEvent) -> Item:
    found = fold(events or [created])
    assert found is not None
    return found


def product(**values: Any) -> Product:
    found = products.fold([products.create(PRODUCT, {"title": "Abbey Road", "type": "physical", **values}, STAMP)])
    assert found is not None
    return found


def test_a_new_item_has_what_it_was_created_with_and_no_photos() -> None:
    found = item(created)
    assert (found.id, found.product, found.number, found.version) == (ID, PRODUCT, 1, 1)
    assert (found.status, found.condition_item, found.condition_container) == ("received", "vg_plus", None)
    assert (found.photos, found.price_total_usd, found.created, found.updated) == ((), None, NOW, NOW)


def test_a_revision_records_only_the_fields_that_change() -> None:
    values = {"status": "listed", "condition_item": "vg_plus", "listing_current_price": Decimal("34.99")}
    when = given(created).when(lambda i: inventory.revise(i, values, LATER))
    when.then(ItemRevised, **values, version=2, updated=LATER.timestamp, created=NOW)
    assert msgspec.to_builtins(when.events[0]).keys() & values.keys() == {"status", "listing_current_price"}


def test_a_revision_to_what_holds_already_records_nothing() -> None:
    given(created).when(lambda i: inventory.revise(i, {"status": "received", "name": None}, LATER)).then(version=1)


def test_null_clears_a_grade_and_a_price() -> None:
    full = inventory.create(ID, PRODUCT, 1, {"status": "draft", "condition_item": "vg", "price_total_usd": 5}, STAMP)
    values = {"condition_item": None, "price_total_usd": None}
    given(full).when(lambda i: inventory.revise(i, values, LATER)).then(ItemRevised, **values)


def test_an_item_never_moves_to_another_product() -> None:
    given(created).when(lambda i: inventory.revise(i, {"product": UUID(int=3)}, LATER)).then(product=PRODUCT)


def test_only_what_is_shipped_or_archived_cannot_go_back_to_draft_or_ordered() -> None:
    for before, after in pairs(INVENTORY_STATUSES, INVENTORY_STATUSES):
        known = replace(item(), status=before)
        if before in {"shipped", "archived"} and after in {"draft", "ordered"}:
            with pytest.raises(Invalid) as refused:
                inventory.revise(known, {"status": after, "name": "x"}, LATER)
            assert refused.value.errors == {"status": [f"An item that is {before} cannot go back to {after}."]}
        else:
            assert len(inventory.revise(known, {"status": after}, LATER)) == (before != after)


def test_photos_keep_the_order_they_came_in() -> None:
    first = inventory.add_photo(item(created), FRONT, STAMP)
    state = given(created, first).when(lambda i: inventory.add_photo(i, BACK, LATER)).then(PhotoAdded, version=3)
    assert state is not None
    assert [photo.filename for photo in state.photos] == ["front.jpg", "back.jpg"]
    assert [photo.created for photo in state.photos] == [NOW, LATER.timestamp]
    assert isinstance(state.photos[0], Photo)
    given(created, first).when(lambda i: inventory.remove_photo(i, FRONT.id, LATER)).then(PhotoRemoved, photos=())


def test_a_photo_that_is_not_there_is_not_removed() -> None:
    with pytest.raises(NotFound):
        inventory.remove_photo(item(created), FRONT.id, LATER)


def test_an_item_has_so_many_photos_and_no_more() -> None:
    full = replace(item(created), photos=(Photo(**msgspec.structs.asdict(FRONT), created=NOW),) * (MAX_PHOTOS - 1))
    last = inventory.evolve(full, inventory.add_photo(full, BACK, LATER))
    assert last is not None
    with pytest.raises(Invalid):
        inventory.add_photo(last, FRONT, LATER)


def test_a_deleted_item_has_no_state() -> None:
    assert given(created).when(lambda i: inventory.delete(i, LATER)).then(ItemDeleted) is None


@pytest.mark.parametrize(
    ("name", "product_title", "condition", "expected"),
    [
        (None, "Abbey Road", "vg_plus", "Abbey Road — VG+"),
        (None, "Abbey Road", None, "Abbey Road"),
        ("Signed copy", "Abbey Road", "mint", "Signed copy — M"),
        ("", "Abbey Road", "poor", "Abbey Road — P"),
        (None, None, "near_mint", "NM"),
        (None, "", None, ""),
    ],
)
def test_an_item_is_called_by_its_name_or_its_products_title_and_its_grade(
    name: str | None, product_title: str | None, condition: str | None, expected: str
) -> None:
    assert title(replace(item(), name=name, condition_item=condition), product(title=product_title)) == expected


@pytest.mark.parametrize(
    ("manual", "values", "expected"),
    [
        ("MINE-1", {"sku": "LP-1", "catalog_number": "PCS 7088"}, ("MINE-1", "manual")),
        (None, {"sku": "LP-1", "catalog_number": "PCS 7088"}, ("LP-1", "product")),
        ("", {"sku": "", "catalog_number": "PCS 7088"}, ("PCS-7088-012", "generated")),
        (None, {"catalog_number": " kt/INS·114.a "}, ("kt-INS-114-a-012", "generated")),
        (None, {"catalog_number": "___ —"}, (None, None)),
        (None, {"catalog_number": ""}, (None, None)),
        (None, {}, (None, None)),
    ],
)
def test_an_item_goes_by_its_own_sku_its_products_or_a_generated_one(
    manual: str | None, values: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    assert resolved_sku(replace(item(), manual_sku=manual, number=12), product(**values)) == expected


def test_the_number_of_an_item_outgrows_its_three_digits() -> None:
    assert resolved_sku(replace(item(), number=1234), product(catalog_number="X1"))[0] == "X1-1234"


@pytest.mark.parametrize(
    ("record", "container", "tier"),
    [
        ("mint", None, "mint"),
        ("near_mint", "mint", "excellent"),
        ("mint", "near_mint", "excellent"),
        ("vg_plus", "vg", "good"),
        ("vg_plus", "generic", "very_good"),
        ("good_plus", "not_graded", "fair"),
        ("good", "no_cover", "fair"),
        ("mint", "fair", "poor"),
        ("poor", "mint", "poor"),
        (None, "mint", None),
    ],
)
def test_the_tier_is_that_of_the_worse_of_record_and_sleeve(
    record: str | None, container: str | None, tier: str | None
) -> None:
    assert grade_tier(replace(item(), condition_item=record, condition_container=container)) == tier


def test_every_pair_of_grades_has_a_tier_and_a_sleeve_never_lifts_it() -> None:
    order = [*GRADE_TIERS]
    for record, container in pairs(ITEM_CONDITIONS, [None, *CONTAINER_CONDITIONS]):
        alone = grade_tier(replace(item(), condition_item=record))
        tier = grade_tier(replace(item(), condition_item=record, condition_container=container))
        assert alone is not None
        assert tier is not None
        assert order.index(tier) >= order.index(alone)


_price = st.none() | st.decimals("0.01", "9999.99", places=2)
_text = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
_sent: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from([*INVENTORY_STATUSES]),
    "name": _text,
    "condition_item": st.none() | st.sampled_from([*ITEM_CONDITIONS]),
    "condition_container": st.none() | st.sampled_from([*CONTAINER_CONDITIONS]),
    "condition_comments": _text,
    "price_total_usd": _price,
    "listing_current_price": _price,
    "price_expected_usd": _price,
    "manual_sku": _text,
    "manual_description": _text,
}
_steps = st.one_of(
    st.fixed_dictionaries({}, optional=_sent),
    st.integers(0, 4).map(lambda n: ("add", UUID(int=n))),
    st.integers(0, 4).map(lambda n: ("remove", UUID(int=n))),
)


@for_all(st.lists(_steps, max_size=12))
def test_whatever_is_decided_the_log_folds_to_what_was_sent(steps: list[Any]) -> None:
    events: list[DomainEvent] = [created]
    plain: dict[str, Any] = {name: getattr(item(created), name) for name in _sent}
    photos: list[UUID] = []
    for step in steps:
        state = item(*events)
        match step:
            case ("add", id) if id not in photos:
                events.append(inventory.add_photo(state, replace(FRONT, id=id), LATER))
                photos.append(id)
            case ("remove", id) if id in photos:
                events.append(inventory.remove_photo(state, id, LATER))
                photos.remove(id)
            case dict() if not inventory.check(state, step):
                events.extend(inventory.revise(state, step, LATER))
                plain.update(step)
    stored = [(event.TOPIC, msgspec.json.encode(event)) for event in events]
    loaded = item(*(msgspec.json.decode(body, type=EVENTS[topic]) for topic, body in stored))
    assert {name: getattr(loaded, name) for name in plain} == plain
    assert [photo.id for photo in loaded.photos] == photos
    assert [event.originator_version for event in events] == list(range(1, loaded.version + 1))


UID = "prod_06amubhsb9thp79e9td6mv4djo"


def test_a_product_alone_makes_a_received_item() -> None:
    values, errors = CREATE.parse({"product_uid": UID})
    assert errors == {}
    assert values == {"product_uid": UUID("01956f2e-3c5a-7b1c-9d2e-4f5a6b7c8d9e"), "status": "received"}
    assert REVISE.parse({}) == ({}, {})
    assert CREATE.parse({}).errors == {"product_uid": ["This field is required."]}


def test_values_are_named_as_the_event_names_them() -> None:
    assert CREATE.fields.keys() - {"product_uid"} <= set(ItemCreated.__struct_fields__)


def test_the_product_is_read_only_after_creation() -> None:
    assert REVISE.parse({"product_uid": "nonsense"}, strict=True) == ({}, {})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("status", "lost", '"lost" is not a valid choice.'),
        ("status", None, "This field may not be null."),
        ("condition_item", "generic", '"generic" is not a valid choice.'),
        ("condition_container", "VG+", '"VG+" is not a valid choice.'),
        ("price_total_usd", 0, "Ensure this value is greater than 0."),
        ("listing_current_price", "1.999", "Ensure that there are no more than 2 decimal places."),
        ("price_expected_usd", "many", "A valid number is required."),
        ("name", "x" * 256, "Ensure this field has no more than 255 characters."),
        ("manual_sku", "x" * 101, "Ensure this field has no more than 100 characters."),
        ("manual_description", "x" * 100_001, "Ensure this field has no more than 100000 characters."),
        ("condition_comments", 0, "Not a valid string."),
    ],
)
def test_what_is_refused_is_refused_alike_on_create_and_revise(field: str, value: Any, message: str) -> None:
    body = {"product_uid": UID, field: value}
    assert CREATE.parse(body).errors == REVISE.parse(body).errors == {field: [message]}


def test_what_was_answered_may_be_sent_back_even_to_a_strict_server() -> None:
    answered: dict[str, Any] = {
        "uid": "inv_d4e5f6",
        "title": "Abbey Road — VG+",
        "status": "ready-to-sell",
        "status_display": "Ready to Sell",
        "condition_item": "vg_plus",
        "condition_item_display": "VG+",
        "condition_container": None,
        "condition_container_display": None,
        "condition_comments": "Light surface marks",
        "price_total_usd": "34.99",
        "listing_current_price": None,
        "price_expected_usd": "39.99",
        "resolved_sku": "PCS-7088-001",
        "resolved_sku_source": "generated",
        "grade_tier_code": "good",
        "grade_tier_label": "Good",
        "created": "2025-01-15T10:30:00Z",
        "updated": "2025-02-10T14:22:00Z",
        "name": None,
        "product": {"uid": UID, "title": "Abbey Road", "type": "physical", "artist": None, "catalog_number": None},
        "manual_sku": None,
        "manual_description": None,
        "assets": [],
        "days_in_inventory": 12,
    }
    assert REVISE.parse(answered, strict=True).errors == {}

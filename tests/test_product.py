from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.errors import NotFound
from domain.event import DomainEvent
from domain.image import Image
from domain.product import product as products
from domain.product.events import (
    Credit,
    ProductCreated,
    ProductDeleted,
    ProductImageRemoved,
    ProductImageReplaced,
    ProductPriceOverridden,
    ProductRevised,
)
from domain.product.product import Product, fold
from domain.vocabulary import EVENTS
from tests.scenario import NOW, ORGANIZATION, STAMP, scenario

ID = UUID("01a20000-0000-7000-8000-0000000000aa")
APPLE = Credit(UUID(int=7), "Apple Records")
given = scenario(products.evolve)
LATER = STAMP._replace(timestamp=NOW + timedelta(days=1), actor="system")

COVER = Image(
    id=UUID(int=8),
    blob="images/8/original",
    content_type="image/jpeg",
    width=1200,
    height=1190,
    size_bytes=345_678,
    filename="cover.jpg",
)
created = products.create(ID, {"title": "Abbey Road", "type": "physical", "tags": ("rock",)}, STAMP)


def _product(*events: DomainEvent) -> Product:
    product = fold(events)
    assert product is not None
    return product


def test_a_new_product_has_what_it_was_created_with_and_empty_values_for_the_rest() -> None:
    product = _product(created)
    assert (product.id, product.organization, product.version) == (ID, ORGANIZATION, 1)
    assert (product.title, product.type, product.tags) == ("Abbey Road", "physical", ("rock",))
    assert (product.artist, product.formats, product.price_override_usd) == (None, None, None)
    assert product.created == product.updated == NOW


def test_a_revision_records_only_the_fields_that_change() -> None:
    when = given(created).when(lambda p: products.revise(p, {"title": "Abbey Road", "year": "1969"}, LATER))
    when.then(ProductRevised, title="Abbey Road", year="1969", version=2, updated=LATER.timestamp, created=NOW)
    assert msgspec.to_builtins(when.events[0]).keys() & {"title", "year"} == {"year"}


def test_a_revision_to_what_holds_already_records_nothing() -> None:
    given(created).when(lambda p: products.revise(p, {"title": "Abbey Road", "tags": ("rock",)}, LATER)).then(version=1)


def test_a_price_is_an_event_of_its_own_behind_the_other_fields() -> None:
    values = {"title": "Help!", "price_override_usd": Decimal("34.99")}
    given(created).when(lambda p: products.revise(p, values, LATER)).then(
        ProductRevised, ProductPriceOverridden, version=3, price_override_usd=Decimal("34.99")
    )


def test_null_clears_a_price_a_title_and_a_label() -> None:
    full = products.create(
        ID,
        {"title": "A", "type": "digital", "music_label": APPLE, "price_override_usd": Decimal(1)},
        STAMP,
    )
    values = {"title": None, "music_label": None, "price_override_usd": None}
    given(full).when(lambda p: products.revise(p, values, LATER)).then(
        ProductRevised, ProductPriceOverridden, title=None, music_label=None, price_override_usd=None
    )


def test_the_type_never_changes() -> None:
    given(created).when(lambda p: products.revise(p, {"type": "nft"}, LATER)).then(type="physical")


def test_an_image_takes_the_place_of_the_one_before_and_can_be_taken_away() -> None:
    first = products.replace_image(_product(created), COVER, LATER)
    back = replace(COVER, id=UUID(int=9))
    given(created, first).when(lambda p: products.replace_image(p, back, LATER)).then(
        ProductImageReplaced, image=back, version=3, updated=LATER.timestamp
    )
    given(created, first).when(lambda p: products.remove_image(p, LATER)).then(ProductImageRemoved, image=None)


def test_an_image_that_is_not_there_is_not_taken_away() -> None:
    with pytest.raises(NotFound):
        products.remove_image(_product(created), LATER)


def test_a_deleted_product_has_no_state() -> None:
    assert given(created).when(lambda p: products.delete(p, LATER)).then(ProductDeleted) is None


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_values: dict[str, st.SearchStrategy[Any]] = {
    "title": st.none() | _text,
    "year": st.none() | st.sampled_from(["1969", "2001-02-03"]),
    "tags": st.lists(_text, max_size=3).map(tuple),
    "music_label": st.none() | st.just(APPLE),
    "is_mature_content": st.booleans(),
    "collections": st.none() | st.dictionaries(_text, st.integers(), max_size=3),
    "price_override_usd": st.none() | st.decimals("0.01", "9999.99", places=2),
}


@for_all(st.lists(st.fixed_dictionaries({}, optional=_values), max_size=8))
def test_whatever_the_revisions_the_fold_is_the_last_value_of_each_field(revisions: list[dict[str, Any]]) -> None:
    events: list[DomainEvent] = [created]
    naive: dict[str, Any] = {"title": "Abbey Road", "type": "physical", "tags": ("rock",)}
    for values in revisions:
        state = _product(*events)
        made = products.revise(state, values, LATER)
        assert bool(made) == any(naive.get(name, getattr(state, name)) != value for name, value in values.items())
        events.extend(made)
        naive.update(values)
    stored = [(event.TOPIC, msgspec.json.encode(event)) for event in events]
    loaded = fold(msgspec.json.decode(body, type=EVENTS[topic]) for topic, body in stored)
    assert isinstance(loaded, Product)
    assert {name: getattr(loaded, name) for name in naive} == naive
    assert loaded.version == len(events)
    assert [event.originator_version for event in events] == list(range(1, len(events) + 1))


def test_every_event_type_is_known_by_its_pinned_topic() -> None:
    assert EVENTS["product.created.v1"] is ProductCreated
    assert all(topic == event.TOPIC and topic.endswith(".v1") for topic, event in EVENTS.items())

"""Commands about inventory items and their photos."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands import children
from commands.children import INVENTORY, adopt, disown, hold
from commands.delisting import marked_sold, taken_back
from commands.save import Saved
from commands.work import Work, change, refuse
from domain import ids
from domain.errors import NotFound
from domain.event import Step
from domain.image import Image
from domain.inventory import inventory
from domain.inventory.events import ItemEvent
from domain.inventory.inventory import Item
from domain.presence.selling import GONE, SELLABLE
from domain.product import product as products
from domain.product.product import Product
from domain.reference_fields import no_object


class CreateItem(Struct, frozen=True, kw_only=True):
    """`values` are ItemCreated's fields by name. `errors` is what a form found wrong with the request already; where
    that includes the product, `product` is None."""

    product: UUID | None
    values: Mapping[str, Any]
    id: UUID | None = None
    errors: Mapping[str, Any] = {}

    @property
    def subject(self) -> UUID | None:
        return self.product


class _AboutItem(Struct, frozen=True, kw_only=True):
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


class ReviseItem(_AboutItem, frozen=True, kw_only=True):
    """Fields that are not in `values` stay. `errors` is what a form found wrong with the request already."""

    values: Mapping[str, Any]
    errors: Mapping[str, Any] = {}


class AddPhoto(_AboutItem, frozen=True, kw_only=True):
    """The file is in the bucket already."""

    image: Image


class RemovePhoto(_AboutItem, frozen=True, kw_only=True):
    photo: UUID


class DeleteItem(_AboutItem, frozen=True, kw_only=True):
    pass


def create(command: CreateItem, work: Work) -> Saved:
    """The answer's document is the item's. Raises Invalid, also for a product that is not there."""
    product, missing = _product(command.product, work)
    refuse(command.errors, missing)
    assert product is not None, "a form that gives no product says what is wrong with it"
    number = children.family(product.id, work).items_made + 1
    id = command.id or work.new_id()
    event = inventory.create(id, product.id, number, command.values, work.stamp)
    made = change(id, None, [event], inventory.evolve, product)
    steps = [hold(product.id, product.version), adopt(product.id, id, INVENTORY, number)]
    return work.save([made], subject=id, steps=steps)


def _product(id: UUID | None, work: Work) -> tuple[Product | None, dict[str, list[str]]]:
    """Return the product, or what is wrong with a reference to it."""
    if id is None:
        return None, {}
    try:
        return work.load(id, products.fold), {}
    except NotFound:
        return None, {"product_uid": [no_object(ids.uid(ids.PRODUCT, id))]}


def revise(command: ReviseItem, work: Work) -> Saved:
    """Raises NotFound, Invalid. What holds already makes no event."""
    item = work.load(command.id, inventory.fold)
    refuse(command.errors, inventory.check(item, command.values))
    events = inventory.revise(item, command.values, work.stamp)
    if not events:
        return work.save([])
    before, after = item.status, command.values.get("status", item.status)
    if before not in GONE and after in GONE:
        product = work.load(item.product, products.fold)
        made = change(item.id, item, events, inventory.evolve, product)
        held = marked_sold(product.organization, product.id, product.version, item.id, work)
        return work.save([made], subject=item.id, steps=held)
    is_back = before in GONE and after in SELLABLE
    return _save(work, item, events, item.id, [taken_back(item.product)] if is_back else [])


def add_photo(command: AddPhoto, work: Work) -> Saved:
    """The answer's document is the photo's. Raises NotFound, Invalid where the item has enough of them."""
    item = work.load(command.id, inventory.fold)
    return _save(work, item, [inventory.add_photo(item, command.image, work.stamp)], subject=command.image.id)


def remove_photo(command: RemovePhoto, work: Work) -> Saved:
    """Raises NotFound for the item and for the photo."""
    item = work.load(command.id, inventory.fold)
    return _save(work, item, [inventory.remove_photo(item, command.photo, work.stamp)], subject=item.id)


def _save(work: Work, item: Item, events: Sequence[ItemEvent], subject: UUID, steps: Sequence[Step] = ()) -> Saved:
    # Its title and SKU are made of the product's as it is read here: one that changes meanwhile has it decided again.
    product = work.load(item.product, products.fold)
    made = change(item.id, item, events, inventory.evolve, product)
    return work.save([made], subject=subject, steps=[hold(product.id, product.version), *steps])


def delete(command: DeleteItem, work: Work) -> Saved:
    """Raises NotFound. Its claims end, so that an import can bring the copy back."""
    item = work.load(command.id, inventory.fold)
    gone = change(item.id, item, [inventory.delete(item, work.stamp)], inventory.evolve)
    return work.save([gone], release=[item.id], steps=[hold(item.product), *disown([item.id])])


HANDLERS: dict[Any, Any] = {
    CreateItem: create,
    ReviseItem: revise,
    AddPhoto: add_photo,
    RemovePhoto: remove_photo,
    DeleteItem: delete,
}

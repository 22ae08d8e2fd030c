"""Commands about products."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from commands import children
from commands.credits import Name, given, resolve
from commands.save import Saved
from commands.work import Work, change, refuse
from domain.event import Change
from domain.image import Image
from domain.inventory.described import PRODUCT_FIELDS
from domain.product import product as products
from domain.product.events import Credit, ProductEvent
from domain.product.product import Product


class CreateProduct(Struct, frozen=True, kw_only=True):
    """`values` are ProductCreated's fields by name; the names of artist and label get or create theirs."""

    values: Mapping[str, Any]
    artist_name: str | None = None
    music_label_name: str | None = None
    id: UUID | None = None

    @property
    def subject(self) -> None:
        return None


class ReviseProduct(Struct, frozen=True, kw_only=True):
    """Fields that are not in `values` and names that are UNSET stay; a name that is None or blank ends the link.
    `errors` is what a form found wrong with the request already."""

    id: UUID
    values: Mapping[str, Any]
    artist_name: str | UnsetType | None = UNSET
    music_label_name: str | UnsetType | None = UNSET
    errors: Mapping[str, Any] = {}

    @property
    def subject(self) -> UUID:
        return self.id


class ReplaceImage(Struct, frozen=True):
    """Give the product an uploaded picture, which is in the bucket already."""

    id: UUID
    image: Image

    @property
    def subject(self) -> UUID:
        return self.id


class RemoveImage(Struct, frozen=True):
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


class DeleteProduct(Struct, frozen=True):
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


def linked(command: CreateProduct | ReviseProduct, credits: Mapping[Name, Credit]) -> dict[str, Any]:
    """Return the command's values with those that its names stand for: a blank name is none, one that is UNSET is
    left out."""
    names = given(command.artist_name, command.music_label_name)
    values: dict[str, Any] = dict(command.values)
    for field, name in (("artist", command.artist_name), ("music_label", command.music_label_name)):
        if name is not UNSET:
            values[field] = credits[names[field]] if field in names else None
    return values


def create(command: CreateProduct, work: Work) -> Saved:
    """The answer's document is the new product's; its id is the one key of `documents`."""
    credits, changes = resolve(work, given(command.artist_name, command.music_label_name).values())
    id = command.id or work.new_id()
    event = products.create(id, linked(command, credits), work.stamp)
    return work.save([*changes, change(id, None, [event], products.evolve)], subject=id)


def revise(command: ReviseProduct, work: Work) -> Saved:
    """Raises NotFound, Invalid. What holds already makes no event."""
    product = work.load(command.id, products.fold)
    refuse(command.errors)
    credits, changes = resolve(work, given(command.artist_name, command.music_label_name).values())
    events = products.revise(product, linked(command, credits), work.stamp)
    revision = change(product.id, product, events, products.evolve)
    changes.append(revision)
    if all(getattr(product, field) == getattr(revision.after, field) for field in PRODUCT_FIELDS):
        return work.save(changes, subject=product.id)
    family = children.family(product.id, work)
    items = children.items(family.items, work)
    changes += [Change(item.id, item, [], item, revision.after) for item in items]
    return work.save(changes, subject=product.id, steps=[children.hold(product.id, product.version, family.revision)])


def replace_image(command: ReplaceImage, work: Work) -> Saved:
    """Raises NotFound."""
    product = work.load(command.id, products.fold)
    event = products.replace_image(product, command.image, work.stamp)
    return _pictured(product, event, work)


def remove_image(command: RemoveImage, work: Work) -> Saved:
    """Raises NotFound for the product and for its picture."""
    product = work.load(command.id, products.fold)
    return _pictured(product, products.remove_image(product, work.stamp), work)


def _pictured(product: Product, event: ProductEvent, work: Work) -> Saved:
    # The product's row is locked before those of pictures, as in every write that touches both.
    step = children.hold(product.id, product.version)
    return work.save([change(product.id, product, [event], products.evolve)], subject=product.id, steps=[step])


def delete(command: DeleteProduct, work: Work) -> Saved:
    """Raises NotFound. Items, presences and assets go with it; claims end, so that an import can bring it back."""
    product = work.load(command.id, products.fold)
    family = children.family(product.id, work)
    ended = children.ended(family, work)
    event = products.delete(product, work.stamp)
    return work.save(
        [*ended, change(product.id, product, [event], products.evolve)],
        release=[product.id, *children.everyone(family)],
        steps=[
            children.hold(product.id, product.version, family.revision),
            *children.disown(children.everyone(family)),
        ],
    )


HANDLERS: dict[Any, Any] = {
    CreateProduct: create,
    ReviseProduct: revise,
    ReplaceImage: replace_image,
    RemoveImage: remove_image,
    DeleteProduct: delete,
}

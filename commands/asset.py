"""Commands about digital assets: the files that buyers of a product download."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands import children
from commands.children import ASSET, adopt, disown, hold
from commands.save import Saved
from commands.work import Work, change, refuse
from domain.asset import asset as assets
from domain.asset.asset import Asset
from domain.asset.events import AssetEvent
from domain.errors import NotFound
from domain.event import Change, Step
from domain.product import product as products


class CreateAsset(Struct, frozen=True, kw_only=True):
    """The file is in the bucket already. `values` are AssetCreated's fields by name; `steps` run in the same save."""

    id: UUID
    product: UUID
    values: Mapping[str, Any]
    steps: Sequence[Step] = ()

    @property
    def subject(self) -> UUID:
        return self.product


class ReviseAsset(Struct, frozen=True, kw_only=True):
    """Fields that are not in `values` stay. `errors` is what a form found wrong with the request already."""

    id: UUID
    product: UUID
    values: Mapping[str, Any]
    errors: Mapping[str, Any] = {}

    @property
    def subject(self) -> UUID:
        # Its product, as for all that writes to one family: they take turns instead of refusing each other.
        return self.product


class DeleteAsset(Struct, frozen=True):
    id: UUID
    product: UUID

    @property
    def subject(self) -> UUID:
        return self.product


def create(command: CreateAsset, work: Work) -> Saved:
    """The answer's document is the asset's. Raises NotFound for the product, Invalid."""
    product = work.load(command.product, products.fold)
    assets.refuse_on(product.type)
    family = children.family(product.id, work)
    siblings = children.assets(family.assets, work)
    events = assets.create(command.id, product.id, siblings, command.values, work.stamp)
    steps = [hold(product.id, None, family.revision), adopt(product.id, command.id, ASSET), *command.steps]
    return work.save(_changes(siblings, events), subject=command.id, steps=steps)


def revise(command: ReviseAsset, work: Work) -> Saved:
    """Raises NotFound, Invalid. What holds already makes no event."""
    asset = _load(command, work)
    refuse(command.errors, assets.check(asset, command.values))
    if not command.values.get("is_primary") or asset.is_primary:
        events = assets.revise(asset, (), command.values, work.stamp)
        return work.save(_changes([asset], events), subject=asset.id, steps=[hold(asset.product)] if events else ())
    family = children.family(asset.product, work)
    siblings = [sibling for sibling in children.assets(family.assets, work) if sibling.id != asset.id]
    events = assets.revise(asset, siblings, command.values, work.stamp)
    steps = [hold(asset.product, None, family.revision)]
    return work.save(_changes([asset, *siblings], events), subject=asset.id, steps=steps)


def delete(command: DeleteAsset, work: Work) -> Saved:
    """Raises NotFound. Where it was primary the oldest that is left becomes it."""
    asset = _load(command, work)
    family = children.family(asset.product, work)
    siblings = [sibling for sibling in children.assets(family.assets, work) if sibling.id != asset.id]
    gone = assets.delete(asset, work.stamp)
    events: list[AssetEvent] = [gone, *assets.replace_primary(asset, siblings, work.stamp)]
    steps = [hold(asset.product, None, family.revision), *disown([asset.id])]
    return work.save(_changes([asset, *siblings], events), steps=steps)


def _load(command: ReviseAsset | DeleteAsset, work: Work) -> Asset:
    asset = work.load(command.id, assets.fold)
    if asset.product != command.product:
        raise NotFound
    return asset


def _changes(known: Sequence[Asset], events: Sequence[AssetEvent]) -> list[Change]:
    """Return the steps that these events, each another asset's, are for assets known and new."""
    before = {asset.id: asset for asset in known}
    return [change(event.originator_id, before.get(event.originator_id), [event], assets.evolve) for event in events]


HANDLERS: dict[Any, Any] = {CreateAsset: create, ReviseAsset: revise, DeleteAsset: delete}

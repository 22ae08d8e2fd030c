"""Items, presences and digital assets are streams of their own. These steps keep them together with their product.

Every write to a product's family holds the product's row first: who decided on what has changed since decides again.
"""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from commands.reading import Family
from commands.work import Work, change
from domain.asset import asset as digital
from domain.asset.asset import Asset
from domain.errors import Conflict
from domain.event import Change, Step
from domain.inventory import inventory
from domain.inventory.inventory import Item
from domain.presence import presence as presences

T = TypeVar("T")

INVENTORY, PRESENCE, ASSET = "inventory", "presence", "asset"


def family(product: UUID, work: Work) -> Family:
    """Return what belongs to a product that is in the log. Raises Conflict where it has just gone."""
    found = work.store.family(product)
    if found is None:
        raise Conflict
    return found


def items(ids: Sequence[UUID], work: Work) -> list[Item]:
    """Raises Conflict where one of them has just gone."""
    streams = work.store.load_all(ids)
    return [_still(inventory.fold(streams.get(id, ()))) for id in ids]


def assets(ids: Sequence[UUID], work: Work) -> list[Asset]:
    """Raises Conflict where one of them has just gone."""
    streams = work.store.load_all(ids)
    return [_still(digital.fold(streams.get(id, ()))) for id in ids]


def ended(of: Family, work: Work) -> list[Change]:
    """Return what deletes them all. Raises Conflict where one of them has just gone."""
    streams = work.store.load_all(everyone(of))
    changes: list[Change] = []
    for id in of.items:
        item = _still(inventory.fold(streams.get(id, ())))
        changes.append(change(id, item, [inventory.delete(item, work.stamp)], inventory.evolve))
    for id in of.presences:
        presence = _still(presences.fold(streams.get(id, ())))
        changes.append(change(id, presence, [presences.delete(presence, work.stamp)], presences.evolve))
    for id in of.assets:
        asset = _still(digital.fold(streams.get(id, ())))
        changes.append(change(id, asset, [digital.delete(asset, work.stamp)], digital.evolve))
    return changes


def everyone(of: Family) -> list[UUID]:
    return [*of.items, *of.presences, *of.assets]


def _still(aggregate: T | None) -> T:
    if aggregate is None:
        raise Conflict
    return aggregate


def hold(product: UUID, version: int | None = None, revision: int | None = None) -> Step:
    """Lock the product: it is there, at `version`, and its family at `revision` where that is given, or Conflict."""
    return Step("hold_product(%b, %b::bigint, %b::bigint)", (product, version, revision))


def hold_products(products: Sequence[UUID]) -> Step:
    """Lock the products, given in the order of their ids."""
    return Step("hold_products(%b)", (products,))


def hold_families(held: Sequence[tuple[UUID, int, int]]) -> Step:
    """As `hold` for many, each a product with its version and its family's revision, in the order of their ids."""
    columns = [list(column) for column in zip(*held, strict=True)]
    return Step("hold_families(%b, %b::bigint[], %b::bigint[])", columns)


def adopt(product: UUID, child: UUID, kind: str, number: int | None = None) -> Step:
    """Let the child belong to a product that is held. An item is its `number`th, or Conflict."""
    return Step("adopt(%b, %b, %s, %b::integer)", (product, child, kind, number))


def disown(children: Sequence[UUID]) -> list[Step]:
    """Let them belong to their product, which is held, no longer."""
    return [Step("disown(%b)", (list(children),))] if children else []

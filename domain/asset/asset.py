"""The digital asset: a file that buyers of a product download. State, decisions, evolve.

A product that has any has exactly one that is primary: decisions that move the flag are about all of its assets.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.asset.events import AssetCreated, AssetDeleted, AssetRevised
from domain.errors import Invalid
from domain.event import DomainEvent, Stamp, own_fields, told

MAX_ASSETS = 1000
PHYSICAL = "physical"
ON_PHYSICAL = "Physical products cannot have digital assets."
TOO_MANY = f"A product has no more than {MAX_ASSETS} digital assets."
STAYS_PRIMARY = "The primary asset stays primary until another one is made it."


class Asset(Struct, frozen=True):
    """Between `version` and `created` stand the fields of AssetCreated, in its order."""

    id: UUID
    organization: UUID
    version: int
    product: UUID
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    blob: str
    display_name: str | None
    description: str | None
    is_primary: bool
    created: datetime
    updated: datetime


_REVISABLE = own_fields(AssetRevised)
_created = attrgetter(*own_fields(AssetCreated))


def refuse_on(product_type: str) -> None:
    """Raise Invalid where a product of this type can have no assets."""
    if product_type == PHYSICAL:
        raise Invalid({"non_field_errors": [ON_PHYSICAL]})


def create(
    id: UUID, product: UUID, siblings: Sequence[Asset], values: Mapping[str, Any], stamp: Stamp
) -> list[AssetCreated | AssetRevised]:
    """Return the first event of an asset, and what its being primary does to its siblings: the first one always is.

    `values` are its fields by name. Raises Invalid where the product has as many as it may have.
    """
    if len(siblings) >= MAX_ASSETS:
        raise Invalid({"file": [TOO_MANY]})
    is_primary = bool(values.get("is_primary")) or not siblings
    made = AssetCreated(**stamp.on(id, 1), product=product, **{**values, "is_primary": is_primary})
    return [made, *(_demoted(siblings, stamp) if is_primary else ())]


def check(asset: Asset, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what the asset's state has against `values`, by field."""
    return {"is_primary": [STAYS_PRIMARY]} if asset.is_primary and values.get("is_primary") is False else {}


def revise(asset: Asset, siblings: Sequence[Asset], values: Mapping[str, Any], stamp: Stamp) -> list[AssetRevised]:
    """Return what takes the asset to `values` (fields by name), and the flag off who had it; nothing where all of it
    holds. `siblings` are needed where it is made primary. Raises Invalid."""
    if errors := check(asset, values):
        raise Invalid(errors)
    changed = {k: v for k, v in values.items() if k in _REVISABLE and getattr(asset, k) != v}
    if not changed:
        return []
    revised = AssetRevised(**stamp.on(asset.id, asset.version + 1), **changed)
    return [revised, *(_demoted(siblings, stamp) if changed.get("is_primary") else ())]


def delete(asset: Asset, stamp: Stamp) -> AssetDeleted:
    return AssetDeleted(**stamp.on(asset.id, asset.version + 1))


def replace_primary(gone: Asset, siblings: Sequence[Asset], stamp: Stamp) -> list[AssetRevised]:
    """Return what makes the oldest that is left primary, where the one that goes is."""
    if not gone.is_primary or not siblings:
        return []
    oldest = min(siblings, key=lambda asset: (asset.created, asset.id))
    return [AssetRevised(**stamp.on(oldest.id, oldest.version + 1), is_primary=True)]


def _demoted(siblings: Sequence[Asset], stamp: Stamp) -> list[AssetRevised]:
    return [
        AssetRevised(**stamp.on(asset.id, asset.version + 1), is_primary=False)
        for asset in siblings
        if asset.is_primary
    ]


def evolve(asset: Asset | None, event: DomainEvent) -> Asset | None:
    """Return the state after `event`; None once it is deleted."""
    match event:
        case AssetCreated():
            at = event.timestamp
            base = (event.originator_id, event.organization, event.originator_version)
            values: tuple[Any, ...] = (*base, *_created(event), at, at)
            return Asset(*values)
        case AssetRevised() if asset is not None:
            return replace(asset, version=event.originator_version, updated=event.timestamp, **told(event, _REVISABLE))
        case AssetDeleted():
            return None
    return asset


def fold(events: Iterable[DomainEvent]) -> Asset | None:
    asset: Asset | None = None
    for event in events:
        asset = evolve(asset, event)
    return asset

"""Which copy an order takes, and whether there is one left."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.choices import INVENTORY_STATUSES
from domain.inventory.inventory import Item
from domain.presence.listing import Sale
from domain.presence.presence import SOLD, Presence

_ORDER = list(INVENTORY_STATUSES)
SELLABLE = frozenset(_ORDER[_ORDER.index("ordered") : _ORDER.index("listed") + 1])
GONE = frozenset({"sold", "shipped"})


class Verdict(NamedTuple):
    """What a sale comes to. `item` is the copy, None where it is not known which; `is_last` says that nothing is left
    to sell after it. With `is_conflict` it was sold before, with `first_order` where one is known.
    """

    item: Item | None = None
    is_last: bool = False
    is_conflict: bool = False
    first_order: str | None = None


def sellable(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.status in SELLABLE]


def judge(sale: Sale, presence: Presence, siblings: Sequence[Presence], items: Sequence[Item]) -> Verdict:
    """Return what the sale of a presence comes to, beside the other presences and the items of its product.

    A product without items is one copy.
    """
    first_order = _first(sale, presence, siblings)
    named = next((item for item in items if sale.sku is not None and item.manual_sku == sale.sku), None)
    left = sellable(items)
    if named is not None and named.status in GONE:
        return Verdict(named, not left, is_conflict=True, first_order=first_order)
    if named is None and not left and _is_sold_out(presence, siblings, items):
        return Verdict(None, True, is_conflict=True, first_order=first_order)
    item = named or (left[0] if len(left) == 1 else None)
    return Verdict(item, is_last=not [other for other in left if other is not item])


def _is_sold_out(presence: Presence, siblings: Sequence[Presence], items: Sequence[Item]) -> bool:
    """Say whether what there was to sell has been sold."""
    if any(one.sold_with is not None for one in (presence, *siblings)):
        return True
    return any(item.status in GONE for item in items) and all(item.status != "draft" for item in items)


def _first(sale: Sale, presence: Presence, siblings: Sequence[Presence]) -> str | None:
    orders = [one.sold_with for one in (presence, *siblings) if one.status == SOLD and one.sold_with is not None]
    return next((order for order in orders if order != sale.order), None)

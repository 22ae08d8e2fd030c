"""What a product's items, presences and assets come to, said as family_of says it in the database.

A write asks the database, which has the rows; here it is said of states that were folded from the log.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from domain.asset.asset import Asset
from domain.inventory.inventory import Item
from domain.presence.presence import Presence
from domain.product.product import Product
from projections import inventory, presence
from projections.asset import PRINTABLE
from projections.documents import OTHER_PLATFORMS, PHYSICAL_PLATFORMS, SEAM, RedbubblePresence, encode, money
from projections.inventory import item_row
from projections.item_document import item_pieces
from projections.presence import presence_row
from projections.presence_document import REDBUBBLE

Row = tuple[Any, ...]

_LIVE = frozenset({"active", "draft", "paused"})
_NO_REDBUBBLE = encode(RedbubblePresence()).decode()
_STATUS, _OFFER, _IS_LISTED, _IS_AVAILABLE, _PHOTO, _SUMMARY = map(
    inventory.COLUMNS.index, ("status", "offer", "is_listed", "is_available", "photo", "summary")
)
_IS_NESTED, _IS_ACTIVE, _PRICE, _IMAGE, _REDBUBBLE, _DOCUMENT = map(
    presence.COLUMNS.index, ("is_nested", "is_active", "price", "image", "redbubble", "document")
)


class Composed(NamedTuple):
    """`items` and `presences` are their rows, by number. `computed` is the price, `nested` the fourth piece of the
    product's document; `statuses` has a bit for each status of its items.
    """

    items: list[Row]
    presences: list[Row]
    computed: Decimal | None
    nested: str
    available_count: int
    statuses: int
    is_listed: bool
    suits_redbubble: bool

    def into(self, document: str) -> str:
        """Return the document of the product with its family, given the one that it has without any."""
        pieces = document.split(SEAM)
        pieces[1] = "null" if self.computed is None else f'"{money(self.computed)}"'
        pieces[3] = self.nested
        return SEAM.join(pieces)


def compose(
    product: Product, image: str | None, items: Sequence[Item], presences: Sequence[Presence], assets: Sequence[Asset]
) -> Composed:
    """Say what they come to; there is at least one. `image` is the address of the product's own picture, as JSON."""
    rows = [item_row(item, product, item_pieces(item, product)) for item in sorted(items, key=_number)]
    price: Decimal | None = None
    listed = available = statuses = 0
    for row in rows:
        statuses |= 1 << row[_STATUS]
        listed += row[_IS_LISTED]
        available += row[_IS_AVAILABLE]
        image = image or row[_PHOTO]
        if (row[_IS_LISTED] or row[_IS_AVAILABLE]) and (offer := row[_OFFER]) is not None:
            price = offer if price is None else min(price, offer)
    presences = sorted(presences, key=_number)
    shown = [presence_row(one) for one in presences]
    active_price: Decimal | None = None
    redbubble = _NO_REDBUBBLE
    for row in shown:
        image = image or row[_IMAGE]
        redbubble = row[_REDBUBBLE] or redbubble
        if row[_IS_ACTIVE] and (offer := row[_PRICE]) is not None:
            active_price = offer if active_price is None else min(active_price, offer)
    primary = [asset for asset in assets if asset.is_primary]
    nested = (
        f'{image or "null"},"total_inventory_count":{len(rows)},"listed_inventory_count":{listed}'
        f',"available_inventory_count":{available},"has_primary_asset":{"true" if primary else "false"}'
        f',"inventory_items":[{",".join([row[_SUMMARY] + "}" for row in rows])}]'
        f',"available_platforms":{PHYSICAL_PLATFORMS if product.type == "physical" else OTHER_PLATFORMS}'
        f',"marketplace_presences":[{",".join([row[_DOCUMENT] for row in shown if row[_IS_NESTED]])}]'
        f',"redbubble_presence":{redbubble}'
    )
    return Composed(
        items=rows,
        presences=shown,
        computed=active_price if price is None else price,
        nested=nested,
        available_count=available,
        statuses=statuses,
        is_listed=listed > 0 or any(row[_IS_ACTIVE] for row in shown),
        suits_redbubble=product.type == "digital"
        and any(asset.content_type in PRINTABLE for asset in primary)
        and not any(one.platform_uid == REDBUBBLE and one.status in _LIVE for one in presences),
    )


def _number(of: Item | Presence) -> int:
    return of.number

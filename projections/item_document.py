"""The inventory item's objects: its own, which the API answers with, and the summary that its product nests."""

from datetime import datetime

from msgspec import Struct

from domain import ids
from domain.choices import CONTAINER_CONDITIONS, GRADE_TIERS, INVENTORY_STATUSES, ITEM_CONDITIONS
from domain.inventory.described import grade_tier, resolved_sku, title
from domain.inventory.inventory import Item
from domain.product.product import Product
from projections.documents import CreditDocument, credit, encode, money
from projections.image_document import PhotoDocument, photo_document

_OWN = ',"name":'
"""Where the summary ends and the rest begins. Within a string its quotes would be escaped."""
_END = "0}"


class ItemProduct(Struct, frozen=True):
    uid: str
    title: str | None
    type: str
    artist: CreditDocument | None
    catalog_number: str | None


class ItemSummary(Struct, frozen=True, kw_only=True):
    """Key order is the API document's."""

    uid: str
    title: str
    status: str
    status_display: str
    condition_item: str | None
    condition_item_display: str | None
    condition_container: str | None
    condition_container_display: str | None
    condition_comments: str | None
    price_total_usd: str | None
    listing_current_price: str | None
    price_expected_usd: str | None
    resolved_sku: str | None
    resolved_sku_source: str | None
    grade_tier_code: str | None
    grade_tier_label: str | None
    created: datetime
    updated: datetime


class ItemDocument(ItemSummary, frozen=True, kw_only=True):
    """What a product's summary of the item leaves out. `days_in_inventory` are whole ones since it was created."""

    name: str | None
    product: ItemProduct
    manual_sku: str | None
    manual_description: str | None
    assets: tuple[PhotoDocument, ...]
    days_in_inventory: int


def item_pieces(item: Item, product: Product) -> tuple[str, str]:
    """Return the item object in two pieces, as JSON text with holes: the summary without its closing brace, and the
    rest, which wants the number of days and the closing brace."""
    sku, source = resolved_sku(item, product)
    tier = grade_tier(item)
    document = ItemDocument(
        uid=ids.uid(ids.INVENTORY, item.id),
        title=title(item, product),
        status=item.status,
        status_display=INVENTORY_STATUSES[item.status],
        condition_item=item.condition_item,
        condition_item_display=ITEM_CONDITIONS[item.condition_item] if item.condition_item else None,
        condition_container=item.condition_container,
        condition_container_display=CONTAINER_CONDITIONS[item.condition_container]
        if item.condition_container
        else None,
        condition_comments=item.condition_comments,
        price_total_usd=money(item.price_total_usd),
        listing_current_price=money(item.listing_current_price),
        price_expected_usd=money(item.price_expected_usd),
        resolved_sku=sku,
        resolved_sku_source=source,
        grade_tier_code=tier,
        grade_tier_label=GRADE_TIERS[tier] if tier else None,
        created=item.created,
        updated=item.updated,
        name=item.name,
        product=ItemProduct(
            uid=ids.familiar_uid(ids.PRODUCT, product.id.int),
            title=product.title,
            type=product.type,
            artist=credit(ids.ARTIST, product.artist),
            catalog_number=product.catalog_number,
        ),
        manual_sku=item.manual_sku,
        manual_description=item.manual_description,
        assets=tuple(map(photo_document, item.photos)),
        days_in_inventory=0,
    )
    summary, own, rest = encode(document).decode().partition(_OWN)
    return summary, (own + rest).removesuffix(_END)


def whole(summary: str, rest: str, item: Item, at: datetime | None = None) -> str:
    """Return the item object as it is answered at some moment, without one at that of the item's last change."""
    return f"{summary}{rest}{max(0, ((at or item.updated) - item.created).days)}}}"

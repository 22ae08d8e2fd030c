"""What /api/v1/inventory/ promises."""

from msgspec.structs import replace

from api.openapi.examples import ITEM, ITEM_CREATE, ITEM_REVISE, PRODUCT, REVISED_ITEM
from api.openapi.filters import choice, ordering, search, text
from api.openapi.noun import Noun
from api.openapi.operation import AS_OF, CURSOR, UID
from domain.choices import INVENTORY_STATUSES
from projections.inventory_page import ORDERS

_ITEM = Noun(
    one="an inventory item",
    many="inventory items",
    tag="Inventory",
    schema="InventoryItem",
    example=ITEM,
    uid=replace(UID, example=ITEM["uid"]),
)

MEANINGS = {
    "uid": "Unique identifier.",
    "title": "The item's name or its product's title, and its grade.",
    "status_display": "The status in words.",
    "condition_item_display": "The item's grade in words.",
    "condition_container_display": "The container's grade in words.",
    "resolved_sku": "`manual_sku`, else the product's, else one made of the catalogue number and a counter.",
    "resolved_sku_source": "manual, product or generated.",
    "grade_tier_code": "Tier of the worse of the two grades.",
    "grade_tier_label": "The tier in words.",
    "product": "What it is a copy of.",
    "assets": "Photos, in the order they came in.",
    "days_in_inventory": "Whole days since it was created.",
    "created": "When it was created, UTC.",
    "updated": "When it last changed, UTC.",
}

LIST = _ITEM.pages(
    "/api/v1/inventory/",
    search("name, description, SKU, product title, artist or catalogue number", "beatles"),
    choice(
        "status", "Items in any of these statuses, separated by commas or repeated", INVENTORY_STATUSES, "listed,sold"
    ),
    text("product_uid", "Items of this product.", PRODUCT["uid"]),
    ordering(ORDERS, "-created"),
    CURSOR,
)
CREATE = _ITEM.create(
    ITEM_CREATE,
    description="One copy of a product. Only `product_uid` is required.",
    leads_to=("listPhotos", "createPhoto"),
)
GET = _ITEM.get(AS_OF)
REVISE = _ITEM.revise(ITEM_REVISE, REVISED_ITEM)
DELETE = _ITEM.delete()

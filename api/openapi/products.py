"""What /api/v1/products/ promises."""

from api.openapi.examples import NEW_PRODUCT, PRODUCT, PRODUCT_CREATE, PRODUCT_REVISE, REVISED_PRODUCT
from api.openapi.filters import choice, flag, ordering, search, texts
from api.openapi.noun import Noun
from api.openapi.operation import CURSOR, UID
from domain.choices import INVENTORY_STATUSES, PRODUCT_TYPES
from projections.product_page import ORDERS

_PRODUCT = Noun(one="a product", many="products", tag="Products", schema="Product", example=PRODUCT, uid=UID)

MEANINGS = {
    "uid": "Unique identifier.",
    "type_display": "The type in words.",
    "artist": "Written as `artist_name`.",
    "music_label": "Written as `music_label_name`.",
    "price_computed_usd": "Lowest price among items for sale, else among active presences.",
    "resolved_identifier": "The first of sku, upc, catalog_number and external_id.",
    "resolved_identifier_source": "Which of them it is.",
    "product_image": "Primary image.",
    "total_inventory_count": "All inventory items.",
    "listed_inventory_count": "Items listed.",
    "available_inventory_count": "Items received or ready to sell.",
    "has_primary_asset": "Whether there is a primary digital asset.",
    "inventory_items": "Summaries of the inventory items.",
    "available_platforms": "Where this product can be listed.",
    "marketplace_presences": "Where it is represented now.",
    "redbubble_presence": "Its latest presence on Redbubble.",
    "metadata": "Written as `external_id` and `external_id_title`.",
    "created": "When it was created, UTC.",
    "updated": "When it last changed, UTC.",
}

LIST = _PRODUCT.pages(
    "/api/v1/products/",
    search("title, artist, label, catalogue number, tags, descriptions, licence or file names", "beatles"),
    flag("has_inventory", "Whether there are any inventory items."),
    flag("has_available_inventory", "Whether there are items for sale."),
    choice(
        "status",
        "Products with an inventory item in any of these statuses, separated by commas or repeated",
        INVENTORY_STATUSES,
        "listed,ready-to-sell",
    ),
    choice("type", "Product type", PRODUCT_TYPES, "physical"),
    texts("tags", "Any of these, separated by commas, is part of any tag, whatever its case.", "rock,uk"),
    flag("uploadable_to_redbubble", "Whether it is fit for Redbubble and not there yet."),
    ordering(ORDERS, "-created"),
    CURSOR,
)
CREATE = _PRODUCT.create(
    PRODUCT_CREATE,
    NEW_PRODUCT,
    description="Only `title` is required.",
    leads_to=("replaceProductImage", "listPresences", "createPresence", "listDigitalAssets", "createDigitalAsset"),
)
GET = _PRODUCT.get()
REVISE = _PRODUCT.revise(PRODUCT_REVISE, REVISED_PRODUCT)
DELETE = _PRODUCT.delete(description="Its inventory items, presences and digital assets go with it.")

"""What /api/v1/products/ promises."""

from api.openapi.examples import PRODUCT, PRODUCT_CREATE, PRODUCT_REVISE, REVISED_PRODUCT
from api.openapi.filters import choice, flag, ordering, search, text
from api.openapi.noun import Noun
from api.openapi.operation import UID
from domain.choices import INVENTORY_STATUSES, PRODUCT_TYPES
from projections.product_page import ORDERS

_PRODUCT = Noun(one="a product", many="products", tag="Products", schema="Product", example=PRODUCT, uid=UID)

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
    text("tags", "Any of these, separated by commas, is part of any tag, whatever its case.", "rock,uk"),
    flag("uploadable_to_redbubble", "Whether it is fit for Redbubble and not there yet."),
    ordering(ORDERS, "-created"),
)
CREATE = _PRODUCT.create(PRODUCT_CREATE, description="Only `title` is required.")
GET = _PRODUCT.get()
REVISE = _PRODUCT.revise(PRODUCT_REVISE, REVISED_PRODUCT)
DELETE = _PRODUCT.delete(description="Its inventory items and presences go with it.")

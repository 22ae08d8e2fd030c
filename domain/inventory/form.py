"""What a client may say of an inventory item: the forms of create and revise. Values are named as in the events."""

from domain.choices import CONTAINER_CONDITIONS, INVENTORY_STATUSES, ITEM_CONDITIONS
from domain.fields import Choice, Field, Text
from domain.form import Form
from domain.ids import PRODUCT
from domain.product.form import DESCRIPTION_LENGTH, NAME_LENGTH
from domain.reference_fields import Reference
from domain.special_fields import Money

READ_ONLY = frozenset(
    {
        "uid",
        "title",
        "status_display",
        "condition_item_display",
        "condition_container_display",
        "resolved_sku",
        "resolved_sku_source",
        "grade_tier_code",
        "grade_tier_label",
        "product",
        "assets",
        "days_in_inventory",
        "created",
        "updated",
    }
)


def _long(description: str, example: str) -> Text:
    return Text(nullable=True, max_length=DESCRIPTION_LENGTH, trimmed=False, description=description, example=example)


_SHARED: dict[str, Field] = {
    "name": Text(
        nullable=True,
        max_length=NAME_LENGTH,
        description="Stands for the product's title in the item's own.",
        example="Abbey Road, first pressing",
    ),
    "status": Choice(
        choices=INVENTORY_STATUSES,
        description="A shipped or archived item cannot go back to draft or ordered.",
        example="ready-to-sell",
    ),
    "condition_item": Choice(
        nullable=True, choices=ITEM_CONDITIONS, description="Grade of the record itself.", example="vg_plus"
    ),
    "condition_container": Choice(
        nullable=True, choices=CONTAINER_CONDITIONS, description="Grade of the sleeve.", example="vg"
    ),
    "condition_comments": _long("What the grades do not say.", "Light surface marks"),
    "price_total_usd": Money(nullable=True, description="Total price; above 0, or null.", example="34.99"),
    "listing_current_price": Money(
        nullable=True, description="What it is listed for now; above 0, or null.", example="34.99"
    ),
    "price_expected_usd": Money(nullable=True, description="Expected sale price; above 0, or null.", example="39.99"),
    "manual_sku": Text(
        nullable=True, max_length=100, description="Your own SKU of this very item.", example="PCS-7088-001"
    ),
    "manual_description": _long("Your own description of this very item.", "Hype sticker on the shrink wrap."),
}

CREATE = Form(
    fields={
        "product_uid": Reference(
            required=True,
            prefix=PRODUCT,
            description="The product this is a copy of. Never changes.",
            example="prod_06amubhsb9thp79e9td6mv4djo",
        ),
        **_SHARED,
    },
    read_only=READ_ONLY,
    defaults={"status": "received"},
)

REVISE = Form(fields=_SHARED, read_only=READ_ONLY | {"product_uid"}, partial=True)

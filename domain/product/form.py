"""What a client may say of a product: the forms of create and revise. Names of values are those of the events."""

from domain.choices import LICENSE_TYPES, PRODUCT_TYPES
from domain.fields import Boolean, Choice, Field, ListOf, Text
from domain.form import Form
from domain.special_fields import JsonObject, Money, Year

TITLE_LENGTH = NAME_LENGTH = 255
DESCRIPTION_LENGTH = 100_000

READ_ONLY = frozenset(
    {
        "uid",
        "type_display",
        "artist",
        "music_label",
        "price_computed_usd",
        "resolved_identifier",
        "resolved_identifier_source",
        "product_image",
        "total_inventory_count",
        "listed_inventory_count",
        "available_inventory_count",
        "has_primary_asset",
        "inventory_items",
        "available_platforms",
        "marketplace_presences",
        "redbubble_presence",
        "metadata",
        "created",
        "updated",
    }
)

_TYPE = Choice(choices=PRODUCT_TYPES, description="Never changes after the product is created.", example="physical")


def _line(max_length: int, description: str, example: str) -> Text:
    return Text(nullable=True, max_length=max_length, description=description, example=example)


def _long(description: str, example: str) -> Text:
    return Text(nullable=True, max_length=DESCRIPTION_LENGTH, trimmed=False, description=description, example=example)


def _name(description: str, example: str) -> Text:
    return Text(nullable=True, max_length=NAME_LENGTH, folded=True, description=description, example=example)


_SHARED: dict[str, Field] = {
    "artist_name": _name(
        "Write-only. Links the artist of this name, making one where there is none; blank or null clears the link.",
        "The Beatles",
    ),
    "music_label_name": _name(
        "Write-only. Links the label of this name, making one where there is none; blank or null clears the link.",
        "Apple Records",
    ),
    "catalog_number": _line(100, "Catalogue or release number.", "PCS 7088"),
    "sku": _line(100, "Your own stock-keeping unit.", "BEA-AR-01"),
    "upc": _line(100, "Universal Product Code.", "0077774644020"),
    "formats": ListOf(
        nullable=True,
        item=Text(max_length=100, blank=False),
        max_items=100,
        description="Media formats.",
        example=["Vinyl"],
    ),
    "year": Year(nullable=True, description="YYYY or YYYY-MM-DD, given back as it was given.", example="1969"),
    "marketplace_description": _long("Description for marketplace listings.", "Original 1969 UK pressing."),
    "license_type": Choice(
        nullable=True, blank=True, choices=LICENSE_TYPES, description="Licence type code.", example="personal"
    ),
    "license_notes": _long("Details of the licence.", "For personal use."),
    "tags": ListOf(
        item=Text(max_length=100, blank=False),
        max_items=100,
        unique=True,
        description="Duplicates, whatever their case, are folded; the order is kept.",
        example=["classic-rock", "uk-pressing"],
    ),
    "media_type": _line(100, "Media type classification.", "album"),
    "is_mature_content": Boolean(description="Flag for mature content.", example=False),
    "default_visibility": _line(50, "Default listing visibility.", "public"),
    "default_shop_product": Boolean(description="Show in the shop by default.", example=True),
    "background_color": _line(50, "Display background color.", "#1d1d1f"),
    "enabled_product_types": JsonObject(
        nullable=True,
        description="Enabled product types: any JSON object up to 64 KiB and 32 levels.",
        example={"poster": True},
    ),
    "collections": JsonObject(
        nullable=True,
        description="Collection assignments: any JSON object up to 64 KiB and 32 levels.",
        example={"shelf": "A3"},
    ),
    "price_override_usd": Money(nullable=True, description="Manual price; above 0, or null.", example="29.99"),
    "external_id": _line(100, "Id in another catalogue, read back in `metadata`.", "249504"),
    "external_id_title": _line(255, "What that id is, read back in `metadata`.", "Discogs release"),
}

CREATE = Form(
    fields={
        "title": Text(
            required=True, blank=False, max_length=TITLE_LENGTH, description="Product title.", example="Abbey Road"
        ),
        "type": _TYPE,
        **_SHARED,
    },
    read_only=READ_ONLY,
    defaults={"type": "digital"},
)

REVISE = Form(
    fields={
        "title": Text(
            nullable=True, max_length=TITLE_LENGTH, description="Product title.", example="Abbey Road (Remastered)"
        ),
        **_SHARED,
    },
    read_only=READ_ONLY | {"type"},
    partial=True,
)

"""What a client may say of a presence: the forms of create and revise. Names of values are those of the events."""

from domain.choices import PRESENCE_STATUSES
from domain.currencies import CURRENCIES
from domain.fields import Boolean, Choice, Field, Text
from domain.form import Form
from domain.platforms import PLATFORM
from domain.rates import USD
from domain.reference_fields import KnownReference, Url
from domain.special_fields import Money

READ_ONLY = frozenset(
    {"id", "platform", "price_last_updated", "last_checked_at", "created_at", "updated_at"}
    | {"listing_price_usd_status", "listing_price_usd_rate_date"}
)

_FIELDS: dict[str, Field] = {
    "platform_uid": KnownReference(
        required=True, known=PLATFORM, description="Write-only. The selling platform.", example="plat_ebay"
    ),
    "external_listing_id": Text(
        nullable=True,
        max_length=255,
        description="The platform's id of the listing: one product has it once on a platform.",
        example="394857201",
    ),
    "external_url": Url(
        nullable=True, description="The listing's http(s) address.", example="https://ebay.com/itm/394857201"
    ),
    "image_url": Url(
        nullable=True,
        description="A picture of the listing: the product's image where it has no other.",
        example="https://i.ebayimg.com/images/g/abc/s-l500.jpg",
    ),
    "status": Choice(choices=PRESENCE_STATUSES, description="Where the listing stands.", example="active"),
    "listing_price": Money(
        nullable=True,
        description="Price in the listing's currency. In USD it and `listing_price_usd` are one price: the one that is"
        " sent sets both; of two that differ, the one that is new counts, and this one where both are.",
        example="34.99",
    ),
    "listing_currency": Choice(choices=CURRENCIES, description="Currency code (ISO 4217).", example=USD),
    "listing_price_usd": Money(
        nullable=True,
        description="Price in USD. In another currency it is computed by the newest reference rate unless it is sent;"
        " null while no rate is known that is young enough.",
        example="34.99",
    ),
    "is_selling_enabled": Boolean(description="Whether selling is active.", example=True),
}

CREATE = Form(fields=_FIELDS, read_only=READ_ONLY, defaults={"status": "draft", "listing_currency": USD})
REVISE = Form(fields=_FIELDS, read_only=READ_ONLY, partial=True)

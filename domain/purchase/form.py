"""What a client may say of a purchase. Names of values are those of Fulfill."""

from domain import ids
from domain.contact_fields import EmailAddress
from domain.fields import Text
from domain.form import Form
from domain.number_fields import Moment, Whole
from domain.reference_fields import Reference

READ_ONLY = frozenset(
    {"uid", "product", "status", "email", "download_url", "download_count", "assets", "created", "updated"}
)
MAX_DOWNLOADS = 1_000_000

FULFILL = Form(
    fields={
        "product_uid": Reference(
            required=True,
            prefix=ids.PRODUCT,
            description="Write-only. What was bought: no physical product, and one that has assets.",
            example="prod_06h0gqr8ulokt6nds0s2ndgtpg",
        ),
        "buyer_email": EmailAddress(
            required=True, description="Who bought it: the link is mailed here.", example="buyer@example.com"
        ),
        "buyer_name": Text(
            nullable=True, max_length=255, folded=True, description="What the mail calls them.", example="Ana Sousa"
        ),
        "external_order_id": Text(
            nullable=True,
            max_length=255,
            description="The shop's own order. One that was fulfilled before gives that purchase, and sends no mail.",
            example="1001",
        ),
        "max_downloads": Whole(
            nullable=True,
            minimum=1,
            maximum=MAX_DOWNLOADS,
            description="Downloads of all its files together; null for no limit.",
            example=5,
        ),
        "expires_at": Moment(
            nullable=True, description="Until when the link works; null for ever.", example="2099-01-15T10:30:00Z"
        ),
    },
    read_only=READ_ONLY,
)

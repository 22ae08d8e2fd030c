"""What /api/v1/digital/fulfill/ and /api/v1/digital/purchases/ promise."""

from msgspec.structs import replace

from api.openapi.examples import PRODUCT, PURCHASE, PURCHASE_FULFILL
from api.openapi.filters import choice, ordering, text
from api.openapi.noun import Noun
from api.openapi.operation import AS_OF, CURSOR, IDEMPOTENCY_KEY, PREFER, UID, Answered, Body, Operation
from domain.choices import PURCHASE_STATUSES
from domain.purchase.mails import RESENDS
from projections.purchase_page import ORDERS

_TAG = "Digital fulfillment"
_UID = replace(UID, example=PURCHASE["uid"])
_PURCHASE = Noun(one="a purchase", many="purchases", tag=_TAG, schema="Purchase", example=PURCHASE, uid=_UID)
_ACTIONS = ("getPurchase", "resendPurchaseEmail", "revokePurchase", "restorePurchase")

MEANINGS = {
    "uid": "Unique identifier.",
    "product": "What was bought, with the title as it was sold.",
    "status": "pending, sent and failed are how far the mail is; a revoked purchase opens nothing.",
    "email": "The mail that was asked for last: attempts at it, and why the last of them failed.",
    "download_url": "The link that the buyer gets. It is the same in every mail.",
    "download_count": "Downloads of all its files together.",
    "assets": "The files as they were sold, the primary one first.",
    "created": "When it was bought, UTC.",
    "updated": "When it last changed, UTC.",
}

_FOUND = Answered(
    description="The purchase that this order was fulfilled with before. No mail is sent.",
    schema="Purchase",
    example=PURCHASE,
    headers=("Idempotent-Replayed",),
)
_MADE = Answered(
    description="The purchase, whose mail has yet to leave.",
    schema="Purchase",
    example=PURCHASE,
    headers=("ETag", "Location", "Idempotent-Replayed"),
    links={action: {"uid": "$response.body#/uid"} for action in _ACTIONS},
)
FULFILL = Operation(
    id="createPurchase",
    summary="Sell a product's files",
    tag=_TAG,
    description="Keeps what was sold as it is now, and mails the buyer a link to it.",
    parameters=(IDEMPOTENCY_KEY, PREFER),
    body=Body(schema="PurchaseCreate", example=PURCHASE_FULFILL),
    answers={201: _MADE, 200: _FOUND},
    problems=(409, 422),
)
LIST = _PURCHASE.pages(
    "/api/v1/digital/purchases/",
    text("product_uid", "Purchases of this product.", PRODUCT["uid"]),
    text("buyer_email", "Purchases of this buyer, whatever the address's case.", PURCHASE["buyer_email"]),
    choice("status", "Purchases in any of these states, separated by commas or repeated", PURCHASE_STATUSES, "sent"),
    ordering(ORDERS, "-created"),
    CURSOR,
)
GET = _PURCHASE.get(AS_OF, description="With `as_of` as it was then; who bought is told as it is known now.")


def _action(id: str, summary: str, description: str) -> Operation:
    return Operation(
        id=id,
        summary=summary,
        tag=_TAG,
        description=description,
        parameters=(_UID, IDEMPOTENCY_KEY),
        answers={
            200: Answered(
                description="The purchase as it is now.",
                schema="Purchase",
                example=PURCHASE,
                headers=("Idempotent-Replayed",),
            )
        },
        problems=(404, 422),
    )


RESEND = _action(
    "resendPurchaseEmail",
    "Mail the link again",
    f"It is the same link. At most {RESENDS} an hour for one purchase; a revoked one is a 400.",
)
REVOKE = _action(
    "revokePurchase", "Revoke a purchase", "Its link opens nothing from now on. Again, and nothing changes."
)
RESTORE = _action("restorePurchase", "Restore a revoked purchase", "Its link works again.")

"""What /api/v1/marketplace-connections/{uid}/activity/ promises."""

from typing import get_args

from msgspec.structs import replace

from api.openapi.examples import ID, PRESENCE, PRODUCT
from api.openapi.filters import choice, text
from api.openapi.noun import BASE_URL
from api.openapi.operation import (
    IF_NONE_MATCH,
    NOT_MODIFIED,
    PAGE,
    PAGE_SIZE,
    UID,
    Answered,
    Operation,
    Parameter,
    Schema,
)
from domain import ids
from domain.connection.activity import Action, Outcome

_CONNECTION = ids.uid(ids.CONNECTION, ID)
_TIME = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "enum": [""]}]}
_ENTRY = {
    "id": 4711,
    "at": "2025-01-15T10:31:07.250000Z",
    "action": "check",
    "outcome": "changed",
    "message": "The marketplace shows something else.",
    "presence": PRESENCE["id"],
    "product": PRODUCT["uid"],
    "changes": {"listing_price": ["24.99", "22.50"], "status": ["active", "paused"]},
}
MEANINGS = {
    "id": "Its number: a later entry has a greater one.",
    "at": "When it was done, UTC.",
    "action": "What was done: a listing checked, its price pushed or it ended, orders asked for, a sale or a"
    " notification handled.",
    "outcome": "`conflict`: the same copy was sold twice. `skipped`: it was not done, the message says why.",
    "message": "What came of it, in a sentence.",
    "presence": "The id of the marketplace presence that it is about; null where it is about none.",
    "product": "The uid of the product that it is about; null where it is about none.",
    "changes": "The fields that changed, each from old to new, as the API names and spells them.",
}
CHANGES: Schema = {
    "type": "object",
    "additionalProperties": {"type": "array", "minItems": 2, "maxItems": 2, "items": {}},
}

LIST = Operation(
    id="listMarketplaceActivity",
    summary="List what was done with a marketplace connection",
    tag="Marketplace connections",
    description="Newest first: what was checked, changed, failed, and why. Entries are kept for 30 days unless this"
    " deployment says otherwise; what changed is in the histories of presences and items for good.",
    parameters=(
        replace(UID, example=_CONNECTION),
        choice("action", "Entries of any of these, separated by commas or repeated", get_args(Action), "check"),
        choice("outcome", "Entries of any of these, separated by commas or repeated", get_args(Outcome), "failed"),
        Parameter(
            name="presence",
            description="Entries about this marketplace presence, by its id.",
            schema={"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "enum": [""]}]},
            example=PRESENCE["id"],
        ),
        text("product", "Entries about this product, by its uid.", str(PRODUCT["uid"])),
        Parameter(
            name="since", description="Entries of this time and later.", schema=_TIME, example="2025-01-15T00:00:00Z"
        ),
        Parameter(name="until", description="Entries before this time.", schema=_TIME, example="2025-01-16T00:00:00Z"),
        PAGE,
        PAGE_SIZE,
        IF_NONE_MATCH,
    ),
    answers={
        200: Answered(
            description="A page of what was done.",
            schema="MarketplaceActivityPage",
            example={
                "count": 120,
                "next": f"{BASE_URL}/api/v1/marketplace-connections/{_CONNECTION}/activity/?page=2",
                "previous": None,
                "results": [_ENTRY],
            },
            headers=("ETag",),
        ),
        304: NOT_MODIFIED,
    },
    problems=(404,),
)

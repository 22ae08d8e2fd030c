"""What /api/v1/products/{uid}/marketplace-presences/ promises."""

from api.openapi.examples import PRESENCE, PRESENCE_CREATE, PRESENCE_REVISE, REVISED_PRESENCE
from api.openapi.noun import Noun
from api.openapi.operation import AS_OF, UID, Parameter

_PRESENCE = Noun(
    one="a marketplace presence",
    many="marketplace presences",
    tag="Marketplace presences",
    schema="Presence",
    example=PRESENCE,
    within=(UID,),
    uid=Parameter(
        name="id",
        where="path",
        required=True,
        description="The presence's id.",
        schema={"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
        example=PRESENCE["id"],
    ),
)

MEANINGS = {
    "id": "Unique in this deployment.",
    "platform": "Written as `platform_uid`.",
    "price_last_updated": "When a price last changed, UTC.",
    "last_checked_at": "When the marketplace was last asked, UTC.",
    "listing_price_usd_status": "Only where a reference rate had a part in it: `converted`, or `stale` (null: the"
    " newest rate is too old).",
    "listing_price_usd_rate_date": "The day of that reference rate.",
    "created_at": "When it was created, UTC.",
    "updated_at": "When it last changed, UTC.",
}

LIST = _PRESENCE.array(description="In every status, oldest first.", problems=(404,))
CREATE = _PRESENCE.create(
    PRESENCE_CREATE,
    description="Only `platform_uid` is required. One product has one listing of a platform once.",
    problems=(404,),
)
GET = _PRESENCE.get(AS_OF)
REVISE = _PRESENCE.revise(PRESENCE_REVISE, REVISED_PRESENCE)
DELETE = _PRESENCE.delete()

"""What a connection's notifications promise."""

from msgspec.structs import replace

from api.openapi.connections import EXAMPLE
from api.openapi.operation import UID, Answered, Body, Operation, Parameter, Schema
from api.openapi.shapes import object_of

_TAG = "Marketplace connections"
_UID = replace(UID, example=EXAMPLE["uid"])
_TEXT: Schema = {"type": "string"}
SCHEMAS: dict[str, Schema] = {
    "ChallengeResponse": object_of(
        {
            "challengeResponse": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "SHA-256 of the code, the token that eBay and we alone know, and this address.",
            }
        }
    ),
    "MarketplaceNotification": {
        "type": "object",
        "properties": {
            "metadata": {"type": "object", "properties": {"topic": _TEXT}, "required": ["topic"]},
            "notification": {"type": "object", "properties": {"notificationId": _TEXT}, "required": ["notificationId"]},
        },
        "required": ["metadata", "notification"],
    },
}
CHALLENGE = Operation(
    id="answerMarketplaceChallenge",
    summary="Prove to a marketplace that this is us",
    tag=_TAG,
    description="eBay asks before it sends notifications here. No key is needed.",
    is_public=True,
    parameters=(
        _UID,
        Parameter(
            name="challenge_code",
            description="What it asks with.",
            schema={"type": "string", "minLength": 1, "maxLength": 1000},
            required=True,
            example="a8628072-3d33-45ee-9004-bee86830a22d",
        ),
    ),
    answers={
        200: Answered(
            description="The proof.", schema="ChallengeResponse", example={"challengeResponse": "0123456789abcdef" * 4}
        )
    },
    problems=(404, 503),
)
TAKE = Operation(
    id="takeMarketplaceNotification",
    summary="Where a marketplace tells what happened",
    tag=_TAG,
    description="Signed by eBay. Of an order it is a hint: orders are read at once, and what they say counts. One that"
    " comes again, and what is about something else, is acknowledged and does nothing. Nothing of it is kept.",
    is_public=True,
    parameters=(
        _UID,
        Parameter(
            name="X-EBAY-SIGNATURE", where="header", description="Base64 of JSON: the key's id and the signature."
        ),
    ),
    body=Body(
        schema="MarketplaceNotification",
        example={
            "metadata": {"topic": "ORDER_CONFIRMATION", "schemaVersion": "1.0", "deprecated": False},
            "notification": {
                "notificationId": "49feeaeb-4982-42d9-a377-9645b8479411",
                "eventDate": "2026-01-02T10:00:00.000Z",
                "publishDate": "2026-01-02T10:00:01.000Z",
                "publishAttemptCount": 1,
                "data": {},
            },
        },
    ),
    answers={204: Answered(description="It was taken.")},
    problems=(404, 408, 412, 413, 503),
    pages={},
)

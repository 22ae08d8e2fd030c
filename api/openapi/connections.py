"""What /api/v1/marketplace-connections/ promises."""

from typing import Any

import msgspec
from msgspec.structs import replace

from api.openapi.examples import ID, TIME
from api.openapi.noun import Noun
from api.openapi.operation import UID, Answered, Operation, Parameter, Schema
from api.openapi.shapes import object_of
from domain.connection.connection import Connection
from projections.connection import connection_document

_STATE = Connection(
    id=ID,
    organization=ID,
    version=3,
    platform_uid="plat_discogs",
    name="Main shop",
    interval_minutes=60,
    push_prices=True,
    auto_delist=True,
    markup_percent=0,
    status="connected",
    reason=None,
    tested=TIME,
    created=TIME,
    updated=TIME,
)


def _shown(state: Connection) -> Any:
    return msgspec.json.decode(connection_document(state))


EXAMPLE = _shown(_STATE)
_NEW = _shown(replace(_STATE, status="checking", tested=None))
_UID = replace(UID, example=EXAMPLE["uid"])
_TAG = "Marketplace connections"
_CONNECTION = Noun(
    one="a marketplace connection",
    many="marketplace connections",
    tag=_TAG,
    schema="MarketplaceConnection",
    example=EXAMPLE,
    uid=_UID,
)
MEANINGS = {
    "uid": "Unique identifier.",
    "platform": "Written as `platform_uid`.",
    "status": "`unauthorized` without credentials, `checking` while they are being tried, `connected`, `failing` while"
    " they are tried again, `reconnect` once only others help.",
    "reason": "Why the marketplace did not let us in; null where it did.",
    "has_credentials": "Whether there are any. They are not shown.",
    "capabilities": "What the platform's API lets us do.",
    "tested_at": "When the marketplace last let us in or did not, UTC.",
    "created": "When it was created, UTC.",
    "updated": "When it last changed, UTC.",
}
SCHEMAS: dict[str, Schema] = {
    "MarketplaceConsent": object_of(
        {
            "authorization_url": {"type": "string", "format": "uri", "description": "Where the seller consents."},
            "expires_at": {"type": "string", "format": "date-time", "description": "Until then they may come back."},
        }
    )
}
_CREATE = {
    "platform_uid": "plat_discogs",
    "name": "Main shop",
    "credentials": {"token": "abcdefghijklmnop"},
    "push_prices": True,
    "auto_delist": True,
}

LIST = _CONNECTION.pages("/api/v1/marketplace-connections/", description="Oldest first. Credentials are not shown.")
CREATE = _CONNECTION.create(
    _CREATE,
    _NEW,
    description="One for each platform. With credentials a worker tries it at once. Once it works, the listings of"
    " presences with `is_selling_enabled` are kept in step, each looked at once in `interval_minutes`. Platforms"
    " without an API, or without a connector yet, are refused. It needs the scope `admin`, as all that changes a"
    " connection does.",
    leads_to=("testMarketplaceConnection", "authorizeMarketplaceConnection"),
)
GET = _CONNECTION.get()
REVISE = _CONNECTION.revise(
    {"interval_minutes": 30, "push_prices": False},
    _shown(replace(_STATE, interval_minutes=30, push_prices=False)),
    description="Send the fields to change. New `credentials` are tried at once. The platform stays what it is.",
)
DELETE = _CONNECTION.delete(description="What opens the account is gone with it; presences stay.")
TEST = Operation(
    id="testMarketplaceConnection",
    summary="Try a marketplace connection",
    tag=_TAG,
    description="A worker does, at once: `status` and `tested_at` tell the outcome.",
    parameters=(_UID,),
    answers={202: Answered(description="It is being tried.", schema="MarketplaceConnection", example=_NEW)},
    problems=(404,),
)
AUTHORIZE = Operation(
    id="authorizeMarketplaceConnection",
    summary="Have a seller consent",
    tag=_TAG,
    description="For platforms whose capability `authorize` is true, where the deployment has an application there:"
    " send the seller's browser to the address. Each is for one consent, within ten minutes. eBay offers no PKCE and"
    " Discogs' OAuth 1.0a has none: the state is what binds the answer to the question. Discogs is asked for a token"
    " at once, so that this is a 503 while it is away.",
    parameters=(_UID,),
    answers={
        200: Answered(
            description="Where to send them.",
            schema="MarketplaceConsent",
            example={
                "authorization_url": "https://auth.ebay.com/oauth2/authorize?client_id=deadwax&response_type=code",
                "expires_at": "2025-01-15T10:40:00Z",
            },
        )
    },
    problems=(404, 502),
)
CALLBACK = Operation(
    id="returnFromMarketplace",
    summary="Where marketplaces send sellers back",
    tag=_TAG,
    is_public=True,
    parameters=(
        Parameter(name="state", description="What the consent began with; it works once."),
        Parameter(name="code", description="What eBay's tokens are got for."),
        Parameter(name="oauth_token", description="The token that the seller was sent to Discogs with."),
        Parameter(name="oauth_verifier", description="What Discogs' token is got for."),
    ),
    answers={200: Answered(description="A page for the seller.", media_type="text/html")},
    problems=(503,),
)

"""What /api/v1/api-keys/ promises."""

import msgspec
from msgspec.structs import replace

from api.answers import encode
from api.openapi.examples import ID, TIME
from api.openapi.noun import Noun
from api.openapi.operation import IDEMPOTENCY_KEY, PREFER, UID, Answered, Body, Operation
from domain.organization.organization import ApiKey
from projections.organizations import key_document

_TAG = "API keys"
_EXAMPLE = ApiKey(
    id=ID,
    organization=ID,
    version=1,
    name="Warehouse scanner",
    scopes=("read", "write"),
    digest="",
    prefix="dw_3vQx1",
    created=TIME,
)
NEW_API_KEY = msgspec.json.decode(encode(replace(key_document(_EXAMPLE), key="dw_3vQx1…")))
API_KEY = {name: value for name, value in NEW_API_KEY.items() if name != "key"}
_UID = replace(UID, example=API_KEY["uid"])
_KEY = Noun(one="an API key", many="API keys", tag=_TAG, schema="ApiKey", example=API_KEY, uid=_UID)
_SHOWN = Answered(
    description="The key; `key` is shown this once.",
    schema="NewApiKey",
    example=NEW_API_KEY,
    headers=("Idempotent-Replayed",),
)

LIST = _KEY.pages(
    "/api/v1/api-keys/", description="The live ones. What opens doors is kept nowhere, so it is not among it."
)
CREATE = Operation(
    id="createApiKey",
    summary="Make an API key",
    tag=_TAG,
    parameters=(IDEMPOTENCY_KEY, PREFER),
    body=Body(schema="ApiKeyCreate", example={"name": _EXAMPLE.name, "scopes": list(_EXAMPLE.scopes)}),
    answers={201: _SHOWN},
    problems=(422,),
)
ROTATE = Operation(
    id="rotateApiKey",
    summary="Give an API key a new secret",
    tag=_TAG,
    description="The old secret ends at once.",
    parameters=(_UID, IDEMPOTENCY_KEY),
    answers={200: _SHOWN},
    problems=(404, 422),
)
REVOKE = Operation(
    id="revokeApiKey",
    summary="Revoke an API key",
    tag=_TAG,
    parameters=(_UID,),
    answers={204: Answered(description="From now on it opens nothing.")},
    problems=(404,),
)

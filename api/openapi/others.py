"""What keys, imports, reference data and the deployment's own endpoints promise."""

from msgspec.structs import replace

from api.openapi.examples import API_KEY, API_KEY_CREATE, IMPORT, NEW_API_KEY, page_of
from api.openapi.operation import (
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    PAGE,
    PAGE_SIZE,
    PREFER,
    UID,
    Answered,
    Body,
    Operation,
)

_KEYS, _IMPORTS, _REFERENCE, _OPERATIONS = "API keys", "Imports", "Reference", "Operations"
_KEY_UID = replace(UID, example=API_KEY["uid"])
_IMPORT_UID = replace(UID, example=IMPORT["uid"])
_NOT_MODIFIED = Answered(description="What If-None-Match names is still what there is.", headers=("ETag",))
_PLATFORM = {
    "uid": "plat_ebay",
    "name": "eBay",
    "slug": "ebay",
    "display_name": "eBay",
    "platform_type": "marketplace",
    "supports_digital": False,
    "supports_api_connection": True,
    "connection_type": "oauth",
}

LIST_KEYS = Operation(
    id="listApiKeys",
    summary="List API keys",
    tag=_KEYS,
    description="The live ones. What opens doors is kept nowhere, so it is not among it.",
    parameters=(PAGE, PAGE_SIZE, IF_NONE_MATCH),
    answers={
        200: Answered(
            description="A page of keys.",
            schema="ApiKeyPage",
            example=page_of(API_KEY, "/api/v1/api-keys/"),
            headers=("ETag",),
        ),
        304: _NOT_MODIFIED,
    },
    problems=(404,),
)
CREATE_KEY = Operation(
    id="createApiKey",
    summary="Make an API key",
    tag=_KEYS,
    parameters=(IDEMPOTENCY_KEY, PREFER),
    body=Body(schema="ApiKeyCreate", example=API_KEY_CREATE),
    answers={
        201: Answered(
            description="The new key; `key` is shown this once.",
            schema="NewApiKey",
            example=NEW_API_KEY,
            headers=("Idempotent-Replayed",),
        )
    },
    problems=(422,),
)
ROTATE_KEY = Operation(
    id="rotateApiKey",
    summary="Give an API key a new secret",
    tag=_KEYS,
    description="The old secret ends at once.",
    parameters=(_KEY_UID, IDEMPOTENCY_KEY),
    answers={
        200: Answered(
            description="The key; `key` is shown this once.",
            schema="NewApiKey",
            example=NEW_API_KEY,
            headers=("Idempotent-Replayed",),
        )
    },
    problems=(404, 422),
)
REVOKE_KEY = Operation(
    id="revokeApiKey",
    summary="Revoke an API key",
    tag=_KEYS,
    parameters=(_KEY_UID,),
    answers={204: Answered(description="From now on it opens nothing.")},
    problems=(404,),
)

LIST_IMPORTS = Operation(
    id="listImports",
    summary="List imports",
    tag=_IMPORTS,
    parameters=(PAGE, PAGE_SIZE, IF_NONE_MATCH),
    answers={
        200: Answered(
            description="A page of imports, newest first.",
            schema="ImportPage",
            example=page_of(IMPORT, "/api/v1/imports/"),
            headers=("ETag",),
        ),
        304: _NOT_MODIFIED,
    },
    problems=(404,),
)
CREATE_IMPORT = Operation(
    id="createImport",
    summary="Import a file of products",
    tag=_IMPORTS,
    description="A Discogs collection or inventory export, a seller's upload file, or any CSV with `map`. A worker"
    " reads it; what is in the catalogue already changes nothing, and rows that are wrong do not stop it.",
    parameters=(IDEMPOTENCY_KEY,),
    body=Body(
        schema="ImportCreate",
        example={"file": "artist,title\nThe Beatles,Abbey Road\n", "type": "physical"},
        media_type="multipart/form-data",
    ),
    answers={
        202: Answered(
            description="The import, which has yet to begin.",
            schema="Import",
            example=IMPORT,
            headers=("Location", "Idempotent-Replayed"),
        )
    },
    problems=(422,),
)
GET_IMPORT = Operation(
    id="getImport",
    summary="Get an import",
    tag=_IMPORTS,
    description="How far it is, what came of it, and the first hundred rows that were refused.",
    parameters=(_IMPORT_UID, IF_NONE_MATCH),
    answers={
        200: Answered(description="The import.", schema="Import", example=IMPORT, headers=("ETag",)),
        304: _NOT_MODIFIED,
    },
    problems=(404,),
)
GET_REJECTS = Operation(
    id="getImportRejects",
    summary="Download the refused rows",
    tag=_IMPORTS,
    description="All of them as CSV, each with its reason, to repair and import again.",
    parameters=(_IMPORT_UID,),
    answers={200: Answered(description="A CSV file.", media_type="text/csv")},
    problems=(404,),
)

LIST_PLATFORMS = Operation(
    id="listPlatforms",
    summary="List platforms",
    tag=_REFERENCE,
    parameters=(IF_NONE_MATCH,),
    answers={
        200: Answered(description="All platforms.", schema="PlatformList", example=[_PLATFORM], headers=("ETag",)),
        304: _NOT_MODIFIED,
    },
)
LIST_CHOICES = Operation(
    id="listChoices",
    summary="List the choices of fields",
    tag=_REFERENCE,
    parameters=(IF_NONE_MATCH,),
    answers={
        200: Answered(description="Every choice with its label, by field.", schema="Choices", headers=("ETag",)),
        304: _NOT_MODIFIED,
    },
)

HEALTH = Operation(
    id="health",
    summary="Is the process up?",
    tag=_OPERATIONS,
    is_public=True,
    answers={200: Answered(description="It is.", schema="Health", example={"status": "ok"})},
)
READY = Operation(
    id="ready",
    summary="Can it work?",
    tag=_OPERATIONS,
    is_public=True,
    answers={
        200: Answered(
            description="It can.",
            schema="Readiness",
            example={"status": "ready", "checks": {"database": "ok", "rate_limits": "ok"}},
        ),
        503: Answered(
            description="It cannot, and why.",
            schema="Readiness",
            example={"status": "not ready", "checks": {"database": "unreachable", "rate_limits": "ok"}},
            headers=("Retry-After",),
        ),
    },
)
METRICS = Operation(
    id="metrics",
    summary="Metrics for Prometheus",
    tag=_OPERATIONS,
    is_public=True,
    answers={200: Answered(description="All processes' numbers.", media_type="text/plain")},
)

"""What /api/v1/imports/ promises."""

from msgspec.structs import replace

from api.openapi.noun import BASE_URL, Noun
from api.openapi.operation import IDEMPOTENCY_KEY, UID, Answered, Body, Operation

_TAG = "Imports"
IMPORT = {
    "uid": "imp_064g4neckjrkmf6epc10j6k0bc",
    "status": "done",
    "filename": "collection.csv",
    "size": 48213,
    "type": "physical",
    "map": {},
    "currency": "USD",
    "dry_run": False,
    "format": "discogs-collection",
    "encoding": "utf-8",
    "rows_total": 401,
    "rows_done": 401,
    "rows_created": 400,
    "rows_unchanged": 0,
    "rows_duplicate": 0,
    "rows_rejected": 1,
    "products_created": 400,
    "items_created": 0,
    "presences_created": 0,
    "errors": [{"line": 17, "reason": "title: This field is required."}],
    "repeats": [],
    "rejects_url": f"{BASE_URL}/api/v1/imports/imp_064g4neckjrkmf6epc10j6k0bc/rejects/",
    "error": None,
    "created": "2025-01-15T10:30:00Z",
    "started": "2025-01-15T10:30:01Z",
    "finished": "2025-01-15T10:30:02Z",
}
_UID = replace(UID, example=IMPORT["uid"])
_IMPORT = Noun(one="an import", many="imports", tag=_TAG, schema="Import", example=IMPORT, uid=_UID)

LIST = _IMPORT.pages("/api/v1/imports/", description="Newest first.")
CREATE = Operation(
    id="createImport",
    summary="Import a file of products",
    tag=_TAG,
    description="A Discogs collection or inventory export, a seller's upload file, or any CSV with `map`. A worker"
    " reads it; what is in the catalogue already changes nothing, and rows that are wrong do not stop it. Of a seller's"
    " files each row is an inventory item too, and a presence on Discogs where it has a listing id.",
    parameters=(IDEMPOTENCY_KEY,),
    body=Body(
        schema="ImportCreate",
        example={"file": "artist,title\nThe Beatles,Abbey Road\n", "type": "physical"},
        media_type="multipart/form-data",
        files={"file": "text/csv"},
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
GET = _IMPORT.get(description="How far it is, what came of it, and the first hundred rows that were refused.")
GET_REJECTS = Operation(
    id="getImportRejects",
    summary="Download the refused rows",
    tag=_TAG,
    description="All of them as CSV, each with its reason, to repair and import again.",
    parameters=(_UID,),
    answers={200: Answered(description="A CSV file.", media_type="text/csv")},
    problems=(404,),
)

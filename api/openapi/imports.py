"""What /api/v1/imports/ promises."""

from msgspec.structs import replace

from api.openapi.examples import IMPORT
from api.openapi.noun import Noun
from api.openapi.operation import IDEMPOTENCY_KEY, UID, Answered, Body, Operation

_TAG = "Imports"
_UID = replace(UID, example=IMPORT["uid"])
_IMPORT = Noun(one="an import", many="imports", tag=_TAG, schema="Import", example=IMPORT, uid=_UID)

LIST = _IMPORT.pages("/api/v1/imports/", description="Newest first.")
CREATE = Operation(
    id="createImport",
    summary="Import a file of products",
    tag=_TAG,
    description="A Discogs collection or inventory export, a seller's upload file, or any CSV with `map`. A worker"
    " reads it; what is in the catalogue already changes nothing, and rows that are wrong do not stop it.",
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

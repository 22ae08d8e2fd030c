"""What uploads in parts promise."""

from api.openapi.assets import MADE, PRODUCT_UID, TAG
from api.openapi.examples import ASSET_UPLOAD, UPLOAD
from api.openapi.operation import IDEMPOTENCY_KEY, PREFER, Answered, Body, Operation, Parameter

UPLOAD_UID = Parameter(
    name="upload_uid", where="path", required=True, description="The upload's uid.", example=UPLOAD["uid"]
)
MEANINGS = {
    "uid": "Unique identifier of the upload.",
    "product_uid": "The product that the asset will be of.",
    "part_size": "The size of each part but the last in bytes.",
    "parts": "The file's parts, in order.",
    "created": "When it was begun, UTC.",
    "expires": "When it is given up unless it is asked for again before, UTC. The addresses end then too.",
}
_LINK = {"uid": "$request.path.uid", "upload_uid": "$response.body#/uid"}

BEGIN = Operation(
    id="beginDigitalAssetUpload",
    summary="Begin an upload in parts",
    tag=TAG,
    description="For files over 100 MB, and for lines that break off. PUT each part's bytes to its `url`, in any order"
    " and as often as it takes; ask the upload which parts are there and for new addresses; then complete it.",
    parameters=(PRODUCT_UID, IDEMPOTENCY_KEY, PREFER),
    body=Body(schema="DigitalAssetUploadCreate", example=ASSET_UPLOAD),
    answers={
        201: Answered(
            description="The upload.",
            schema="DigitalAssetUpload",
            example=UPLOAD,
            headers=("Location", "Idempotent-Replayed"),
            links=dict.fromkeys(
                ("getDigitalAssetUpload", "completeDigitalAssetUpload", "abandonDigitalAssetUpload"), _LINK
            ),
        )
    },
    problems=(404, 422),
)
GET = Operation(
    id="getDigitalAssetUpload",
    summary="Get an upload in parts",
    tag=TAG,
    description="Which parts are there, and new addresses for the others. Needs the scope `write`.",
    parameters=(PRODUCT_UID, UPLOAD_UID),
    answers={200: Answered(description="As it is now.", schema="DigitalAssetUpload", example=UPLOAD)},
    problems=(404,),
)
COMPLETE = Operation(
    id="completeDigitalAssetUpload",
    summary="Complete an upload in parts",
    tag=TAG,
    description="The file is read back before it becomes an asset, so this takes a while: some seconds a GiB. It may be"
    " asked again.",
    parameters=(PRODUCT_UID, UPLOAD_UID, IDEMPOTENCY_KEY),
    answers={201: MADE},
    problems=(404, 422),
)
ABANDON = Operation(
    id="abandonDigitalAssetUpload",
    summary="Give up an upload in parts",
    tag=TAG,
    parameters=(PRODUCT_UID, UPLOAD_UID),
    answers={204: Answered(description="It is gone, with the parts that were there.")},
    problems=(404,),
)

"""What digital assets promise."""

from msgspec.structs import replace

from api.openapi.examples import ASSET, ASSET_REVISE, PACK, REVISED_ASSET
from api.openapi.noun import Noun
from api.openapi.operation import AS_OF, IDEMPOTENCY_KEY, PREFER, UID, Answered, Body, Operation

TAG = "Digital assets"
PRODUCT_UID = replace(UID, description="The product's uid.", example=PACK)
_ASSET = Noun(
    one="a digital asset",
    many="digital assets of a product",
    tag=TAG,
    schema="DigitalAsset",
    example=ASSET,
    uid=replace(UID, description="The asset's uid.", example=ASSET["uid"]),
)
_LINK = {"uid": "$response.body#/uid"}
MADE = Answered(
    description="What was created.",
    schema="DigitalAsset",
    example=ASSET,
    headers=("ETag", "Location", "Idempotent-Replayed"),
    links=dict.fromkeys(("getDigitalAsset", "reviseDigitalAsset", "deleteDigitalAsset"), _LINK),
)

MEANINGS = {
    "uid": "Unique identifier.",
    "product_uid": "The product whose buyers download it.",
    "filename": "What its sender calls the file.",
    "content_type": "What the file is, by its sender's word or its name's ending.",
    "size": "The file's size in bytes.",
    "sha256": "The file's SHA-256.",
    "created": "When it was created, UTC.",
    "updated": "When it last changed, UTC.",
}

LIST = replace(_ASSET, within=(PRODUCT_UID,)).array(description="Oldest first.", problems=(404,))
CREATE = Operation(
    id="createDigitalAsset",
    summary="Upload a digital asset",
    tag=TAG,
    description="A file that buyers of the product download. It is streamed on while it arrives, however large it is."
    " Physical products have none.",
    parameters=(PRODUCT_UID, IDEMPOTENCY_KEY, PREFER),
    body=Body(
        schema="DigitalAssetCreate",
        example={"file": "(a file)", "display_name": ASSET["display_name"], "description": ASSET["description"]},
        media_type="multipart/form-data",
        files={"file": "application/zip"},
    ),
    answers={201: MADE},
    problems=(404, 422),
)
GET = _ASSET.get(AS_OF)
REVISE = _ASSET.revise(ASSET_REVISE, REVISED_ASSET)
DELETE = _ASSET.delete(
    description="Where it was primary the oldest that is left becomes it. Those who bought it keep their file."
)

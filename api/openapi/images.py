"""What the addresses of pictures promise."""

from msgspec.structs import replace

from api.openapi.examples import ITEM, PHOTO, PRODUCT
from api.openapi.noun import Noun
from api.openapi.operation import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    NOT_MODIFIED,
    UID,
    Answered,
    Body,
    Operation,
    Parameter,
)

_KINDS = "A JPEG, PNG, WebP or GIF. It is kept upright and without metadata; of several frames the first is shown."
_TOKEN = PHOTO["url"].split("/")[-2]
_ITEM_UID = replace(UID, example=ITEM["uid"])
_PHOTO = Noun(
    one="a photo",
    many="photos of an inventory item",
    tag="Inventory",
    schema="Photo",
    example=PHOTO,
    uid=replace(UID, name="asset_uid", description="The photo's uid.", example=PHOTO["uid"]),
    within=(_ITEM_UID,),
)


def _form(schema: str, field: str) -> Body:
    """Return the form that a picture is sent in."""
    return Body(
        schema=schema,
        example={field: "(a file)"},
        media_type="multipart/form-data",
        files={field: "image/jpeg, image/png, image/webp, image/gif"},
    )


REPLACE = Operation(
    id="replaceProductImage",
    summary="Upload product image",
    tag="Products",
    description=f"Upload or replace the product's primary image. {_KINDS}",
    parameters=(UID, IDEMPOTENCY_KEY),
    body=_form("ImageUpload", "image"),
    answers={
        200: Answered(
            description="The product as it is now.",
            schema="Product",
            example=PRODUCT,
            headers=("ETag", "Idempotent-Replayed"),
        )
    },
    problems=(404, 422),
)
REMOVE = Operation(
    id="removeProductImage",
    summary="Remove product image",
    tag="Products",
    description="A photo of its items or the image of one of its presences is shown instead, where there is one.",
    parameters=(UID, IF_MATCH),
    answers={204: Answered(description="It is gone.")},
    problems=(404, 412),
)
LIST_PHOTOS = _PHOTO.array(problems=(404,))
ADD_PHOTO = Operation(
    id="createPhoto",
    summary="Upload a photo",
    tag="Inventory",
    description=_KINDS,
    parameters=(_ITEM_UID, IDEMPOTENCY_KEY),
    body=_form("PhotoUpload", "file"),
    answers={
        201: Answered(
            description="The photo, the last of its item.",
            schema="Photo",
            example=PHOTO,
            headers=("ETag", "Location", "Idempotent-Replayed"),
        )
    },
    problems=(404, 422),
)
GET_PHOTO = _PHOTO.get()
REMOVE_PHOTO = _PHOTO.delete()

GET_MEDIA = Operation(
    id="getMedia",
    summary="Fetch a picture",
    tag="Media",
    description="Where answers say that pictures are. In place of the name's ending `-256.webp` and `-1024.webp`"
    " lead to small sizes; until one is made the original stands in for it.",
    parameters=(
        Parameter(
            name="token",
            where="path",
            required=True,
            description="The picture's part of its address.",
            example=_TOKEN,
        ),
        Parameter(name="name", where="path", required=True, description="The file's.", example="image.jpg"),
        IF_NONE_MATCH,
    ),
    answers={
        200: Answered(description="The picture.", media_type="image/*", headers=("ETag", "Cache-Control")),
        304: NOT_MODIFIED,
    },
    problems=(404, 503),
    is_public=True,
)

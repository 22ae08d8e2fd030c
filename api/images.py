"""Pictures: a product's own at …/products/{uid}/image/, an item's photos at …/inventory/{uid}/assets/."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from litestar import delete, get, post
from msgspec import Raw, Struct
from uuid_utils.compat import uuid7

from api import inventory, products
from api.answers import Answer
from api.auth import admit
from api.conditional import accepted, tagged, unless_known
from api.idempotency import receipt_for, replay
from api.objects import guard, path_id, raw, show
from api.openapi import images as declared
from api.requests import ApiRequest
from api.services import services
from api.uploads import uploaded
from commands.image_blobs import announce, image_of
from commands.images import NotAnImage, upright
from commands.inventory import AddPhoto, RemovePhoto
from commands.product import RemoveImage, ReplaceImage
from commands.save import Receipt, Replayed
from domain import ids
from domain.errors import Invalid, NotFound, StaleWrite
from domain.image import Image
from projections.documents import etag
from projections.product import expect

IMAGE = f"{products.ONE}/image"
PHOTOS = f"{inventory.ONE}/assets"
PHOTO = f"{PHOTOS}/{{asset_uid:str}}"
# A photo never changes.
_TAG = etag(1)


class _Item(Struct):
    assets: tuple[Raw, ...]


class _Asset(Struct):
    uid: str


class _Kept(NamedTuple):
    """A picture that is in the bucket, and what binds the answer to come."""

    image: Image
    receipt: Receipt | None


@post(IMAGE, before_request=admit, scope="write", status_code=200, operation=declared.REPLACE)
async def replace_image(request: ApiRequest) -> Answer:
    await products.found(request)
    try:
        kept = await _keep(request, "image", uuid7(), {}, status=200)
        command = ReplaceImage(path_id(request, ids.PRODUCT), kept.image)
        await services(request).execute(request, command, receipt=kept.receipt)
    except Replayed as replayed:
        return replay(request, replayed.receipt)
    row = await products.found(request)
    return show(request, row.document, etag(row.revision))


@delete(IMAGE, before_request=admit, scope="write", status_code=200, operation=declared.REMOVE)
async def remove_image(request: ApiRequest) -> Answer:
    id = path_id(request, ids.PRODUCT)
    await services(request).execute(request, RemoveImage(id), guard=guard(request, id, expect, etag))
    return Answer(status=204)


@get(PHOTOS, before_request=admit, scope="read", operation=declared.LIST_PHOTOS)
async def list_photos(request: ApiRequest) -> Answer:
    return tagged(request.scope, b"[%b]" % b",".join(await _photos(request)))


@post(PHOTOS, before_request=admit, scope="write", operation=declared.ADD_PHOTO)
async def add_photo(request: ApiRequest) -> Answer:
    await inventory.found(request)
    within, id = services(request), uuid7()
    path = PHOTOS.replace("{uid:str}", request.scope["path_params"]["uid"])
    headers = {"ETag": _TAG, "Location": f"{path}/{ids.uid(ids.ASSET, id)}/"}
    try:
        kept = await _keep(request, "file", id, headers, status=201)
        command = AddPhoto(id=path_id(request, ids.INVENTORY), image=kept.image)
        saved = await within.execute(request, command, receipt=kept.receipt)
    except Replayed as replayed:
        return replay(request, replayed.receipt)
    return Answer(within.fill(request, saved.documents[id]), 201, raw(headers))


@get(PHOTO, before_request=admit, scope="read", operation=declared.GET_PHOTO)
async def get_photo(request: ApiRequest) -> Answer:
    return unless_known(request.scope, await _photo(request), _TAG)


@delete(PHOTO, before_request=admit, scope="write", status_code=200, operation=declared.REMOVE_PHOTO)
async def remove_photo(request: ApiRequest) -> Answer:
    await _photo(request)
    accepts = accepted(request.scope)
    if accepts is not None and not accepts(_TAG):
        raise StaleWrite
    photo = ids.parse(ids.ASSET, request.scope["path_params"]["asset_uid"])
    assert photo is not None, "it was found by this uid"
    await services(request).execute(request, RemovePhoto(id=path_id(request, ids.INVENTORY), photo=photo))
    return Answer(status=204)


async def _keep(request: ApiRequest, field: str, id: UUID, headers: Mapping[str, str], status: int) -> _Kept:
    """Make a picture of the file sent and put it into the bucket: what an event names exists, and what no event comes
    to name is collected. Raises Replayed before that where the request was answered before."""
    within, organization = services(request), request.auth.organization
    async with uploaded(request, within.settings.image_limit_bytes) as form:
        if form.errors:
            raise Invalid(form.errors)
        upload = form.required_file(field)
        said = {"fields": form.fields, "filename": upload.filename, "sha256": upload.sha256}
        receipt = receipt_for(request, said, headers, status=status)
        await within.unless_answered(receipt)
        try:
            picture = await within.one_picture(lambda: upright(upload.file.read(), within.settings.image_limit_pixels))
        except NotAnImage as error:
            raise Invalid({field: [str(error)]}) from None
    with picture.file as file:
        image = image_of(id, organization, picture, upload.filename)
        await within.in_turn(lambda: announce(within.bus.store, image, organization))
        await within.in_thread(lambda: within.blobs.put(image.blob, file, image.size_bytes, image.content_type))
    return _Kept(image, receipt)


async def _photos(request: ApiRequest) -> Sequence[Raw]:
    """Return the photos of the item that the path names, as they are answered. Raises NotFound."""
    document = await inventory.found(request)
    return msgspec.json.decode(services(request).fill(request, document), type=_Item).assets


async def _photo(request: ApiRequest) -> bytes:
    """Return the photo that the path names, as it is answered. Raises NotFound."""
    uid = request.scope["path_params"]["asset_uid"]
    for photo in await _photos(request):
        if msgspec.json.decode(photo, type=_Asset).uid == uid:
            return bytes(photo)
    raise NotFound


HANDLERS: list[Any] = [replace_image, remove_image, list_photos, add_photo, get_photo, remove_photo]

"""Digital assets: the files of a product at …/products/{uid}/digital-assets/, each at /api/v1/digital/assets/{uid}/."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import delete, get, patch, post
from uuid_utils.compat import uuid7

from api import products
from api.answers import Answer
from api.as_of import moment_of, then
from api.asset_reading import AssetReading
from api.auth import admit
from api.conditional import tagged
from api.idempotency import receipt_for, replay
from api.objects import guard, path_id, raw, said, show
from api.openapi import assets as declared
from api.requests import ApiRequest, is_strict
from api.services import services
from api.uploads import boundary, read_form
from commands.asset import CreateAsset, DeleteAsset, ReviseAsset
from commands.save import Receipt, Replayed, Saved
from domain import ids
from domain.asset.asset import refuse_on
from domain.asset.form import FILE, REVISE, parse
from domain.errors import Busy, Invalid, NotFound
from projections.as_of import asset_at
from projections.asset import Row, detail, expect, of_product, type_of_product
from projections.documents import etag

PATH = f"{products.ONE}/digital-assets"
ASSETS = "/api/v1/digital/assets"
ONE = f"{ASSETS}/{{uid:str}}"
PATIENCE = 5
"""So often a file that is in the bucket is tried to be made an asset of, where others write to its product."""


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_assets(request: ApiRequest) -> Answer:
    within, product = services(request), path_id(request, ids.PRODUCT)
    documents = await of_product(within.reader, request.auth.organization, product)
    if documents is None:
        raise NotFound
    return tagged(request.scope, b"[%b]" % within.fill(request, documents))


@post(PATH, before_request=admit, scope="write", operation=declared.CREATE)
async def create_asset(request: ApiRequest) -> Answer:
    product = await product_with_assets(request)
    within, id = services(request), uuid7()
    async with within.one_upload():
        reading = AssetReading(within, id, request.auth.organization, boundary(request))
        is_kept = False
        try:
            await read_form(request, reading)
            values, receipt = await _received(request, id, reading)
            await reading.keep()
            command = CreateAsset(id=id, product=product, values=values)
            is_kept = True
            return await made(request, command, receipt)
        except Replayed as replayed:
            is_kept = False
            return replay(request, replayed.receipt)
        except (NotFound, Invalid):
            is_kept = False
            raise
        finally:
            # What the database did with a file that is in the bucket may be unknown: the collector finds out.
            if not is_kept:
                await asyncio.shield(reading.discard())


async def _received(request: ApiRequest, id: UUID, reading: AssetReading) -> tuple[dict[str, Any], Receipt | None]:
    """Return what the form makes of its asset, and what binds the answer. Raises Invalid, Replayed."""
    values, errors = parse(reading.fields, is_strict(request))
    errors |= reading.errors
    if problem := reading.problem():
        errors[FILE] = [problem]
    if errors:
        raise Invalid(errors)
    await reading.end()
    told = {"fields": reading.fields, "filename": reading.filename, "sha256": reading.sha256}
    receipt = receipt_for(request, told, headers_of(id))
    await services(request).unless_answered(receipt)
    file = {"filename": reading.filename, "content_type": reading.content_type, "blob": reading.blob}
    return {**values, **file, "size_bytes": reading.size_bytes, "sha256": reading.sha256}, receipt


def headers_of(id: UUID) -> Mapping[str, str]:
    """Return the headers of the answer that makes an asset."""
    return {"ETag": etag(1), "Location": f"{ASSETS}/{ids.uid(ids.ASSET, id)}/"}


async def made(request: ApiRequest, command: CreateAsset, receipt: Receipt | None) -> Answer:
    """Make an asset of a file that is in the bucket and answer with it. Raises what the command raises."""
    within = services(request)
    saved: Saved | None = None
    for attempt in range(1, PATIENCE + 1):
        try:
            saved = await within.execute(request, command, receipt=receipt)
            break
        except Busy:
            # Much has been sent already: it is not given up for others who write to the same product.
            if attempt == PATIENCE:
                raise
    assert saved is not None, "the last attempt raises"
    return Answer(within.fill(request, saved.documents[command.id]), 201, raw(headers_of(command.id)))


async def product_with_assets(request: ApiRequest) -> UUID:
    """Return the product that the path names. Raises NotFound, and Invalid where it can have no assets."""
    product = path_id(request, ids.PRODUCT)
    type = await type_of_product(services(request).reader, request.auth.organization, product)
    if type is None:
        raise NotFound
    refuse_on(type)
    return product


@get(ONE, before_request=admit, scope="read", operation=declared.GET)
async def get_asset(request: ApiRequest) -> Answer:
    if (moment := await moment_of(request)) is not None:
        id, organization = path_id(request, ids.ASSET), request.auth.organization
        return await then(request, await asset_at(services(request).reader, organization, id, moment))
    row = await found(request)
    return show(request, row.document, etag(row.revision))


@patch(ONE, before_request=admit, scope="write", operation=declared.REVISE)
async def revise_asset(request: ApiRequest) -> Answer:
    id = path_id(request, ids.ASSET)
    body = await said(request, REVISE, lambda: found(request))
    row = await found(request)
    command = ReviseAsset(id=id, product=row.product, values=body.values, errors=body.errors)
    await services(request).execute(request, command, guard=guard(request, id, expect, etag))
    row = await found(request)
    return show(request, row.document, etag(row.revision))


@delete(ONE, before_request=admit, scope="write", status_code=200, operation=declared.DELETE)
async def delete_asset(request: ApiRequest) -> Answer:
    row, id = await found(request), path_id(request, ids.ASSET)
    command = DeleteAsset(id, row.product)
    await services(request).execute(request, command, guard=guard(request, id, expect, etag))
    return Answer(status=204)


async def found(request: ApiRequest) -> Row:
    """Return the asset that the path names. Raises NotFound."""
    row = await detail(services(request).reader, request.auth.organization, path_id(request, ids.ASSET))
    if row is None:
        raise NotFound
    return row


HANDLERS: list[Any] = [list_assets, create_asset, get_asset, revise_asset, delete_asset]

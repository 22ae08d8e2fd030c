"""…/digital-assets/uploads/: large files that clients send to the bucket themselves, part by part, and can go on with
after whatever broke off: the parts have addresses of their own, and those that are there stay there."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import delete, get, post
from msgspec import Struct
from uuid_utils.compat import uuid7

from api import assets
from api.answers import Answer, encode
from api.asset_reading import not_taken
from api.assets import headers_of, made, product_with_assets
from api.auth import admit
from api.idempotency import REPLAYED, receipt_for, replay
from api.objects import path_id, raw, said
from api.openapi import asset_uploads as declared
from api.requests import ApiRequest
from api.services import Services, services
from api.uploads import NO_NAME, clean_filename
from commands.asset import CreateAsset
from commands.asset_blobs import Reading, announce, new_key
from commands.asset_uploads import LIFE, BeginUpload, abandon, ended, extend, size_of_parts
from commands.blobs import StoredPart
from commands.save import Receipt, Replayed
from domain import ids
from domain.asset.form import UPLOAD
from domain.asset.media_type import is_among, media_type
from domain.errors import Busy, Conflict, Invalid, NotFound
from projections import asset
from projections.asset_upload import Row, UploadDocument, detail, upload_document

PATH = f"{assets.PATH}/uploads"
ONE = f"{PATH}/{{upload_uid:str}}"
_NAMED_AT_MOST = 10
_NO_STORE = (b"cache-control", b"no-store")


class _Uid(Struct):
    uid: str


@post(PATH, before_request=admit, scope="write", operation=declared.BEGIN)
async def begin_upload(request: ApiRequest) -> Answer:
    product = await product_with_assets(request)
    within, organization, id = services(request), request.auth.organization, uuid7()
    body = await said(request, UPLOAD)
    values = _checked(within, body.values, body.errors)
    row = Row(
        id=id,
        product=product,
        blob=new_key(organization),
        multipart="",
        filename=values["filename"],
        content_type=values["content_type"],
        size_bytes=values["size"],
        part_bytes=size_of_parts(values["size"]),
        sha256=values["sha256"],
        asked={name: values[name] for name in ("display_name", "description", "is_primary") if name in values},
        created=datetime.now(UTC),
        expires=datetime.now(UTC) + LIFE,
    )
    headers = {"Location": f"{_path(request)}{ids.uid(ids.UPLOAD, id)}/"}
    # Addresses open a door: they are in no receipt, and a repeat gets new ones.
    kept = encode(upload_document(row, {}, lambda _: None)).decode()
    receipt = receipt_for(request, body.body, headers, answer=kept)
    try:
        await within.unless_answered(receipt)
        row = await _begun(request, row, receipt)
    except Replayed as replayed:
        return await _replayed(request, product, replayed.receipt)
    return await _answer(within, row, {}, 201, headers)


def _checked(within: Services, values: dict[str, Any], errors: dict[str, Any]) -> dict[str, Any]:
    """Return the values as they are kept. Raises Invalid."""
    settings = within.settings
    if "filename" in values:
        values["filename"] = clean_filename(values["filename"])
        if not values["filename"]:
            errors["filename"] = [NO_NAME]
        values["content_type"] = media_type(values.get("content_type"), values["filename"])
        if not is_among(settings.asset_types, values["content_type"]):
            errors["content_type"] = [not_taken(values["content_type"])]
    if values.get("size", 0) > settings.asset_limit_bytes:
        errors["size"] = [f"Ensure this value is less than or equal to {settings.asset_limit_bytes}."]
    if errors:
        raise Invalid(errors)
    return values


async def _begun(request: ApiRequest, row: Row, receipt: Receipt | None) -> Row:
    """Begin it in the bucket and note it. Raises Replayed, NotFound, Invalid, Unavailable."""
    within, organization = services(request), request.auth.organization
    await within.in_turn(lambda: announce(within.bus.store, row.id, organization, row.blob))
    multipart = await within.in_thread(lambda: within.blobs.begin(row.blob, row.content_type))
    command = BeginUpload(
        id=row.id,
        product=row.product,
        blob=row.blob,
        multipart=multipart,
        filename=row.filename,
        content_type=row.content_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        asked=row.asked,
        expires=row.expires,
    )
    try:
        await within.execute(request, command, receipt=receipt)
    except (Replayed, NotFound, Invalid):
        await within.in_thread(lambda: within.blobs.discard(row.blob))
        raise
    return row._replace(multipart=multipart)


async def _replayed(request: ApiRequest, product: UUID, receipt: Receipt) -> Answer:
    """Answer again: with the upload as it is, where it is under way, else as it was."""
    uid = msgspec.json.decode(receipt.body or "", type=_Uid).uid
    id = ids.parse(ids.UPLOAD, uid)
    within = services(request)
    row = None if id is None else await detail(within.reader, request.auth.organization, product, id)
    with suppress(NotFound):
        if row is not None:
            headers = msgspec.json.decode(receipt.headers, type=dict[str, str])
            answer = await _answer(within, row, await _there(within, row), 201, headers)
            answer.headers.append(REPLAYED)
            return answer
    return replay(request, receipt)


@get(ONE, before_request=admit, scope="write", operation=declared.GET)
async def get_upload(request: ApiRequest) -> Answer:
    within, row = services(request), await _row(request)
    there = await _there(within, row)
    row = row._replace(expires=datetime.now(UTC) + LIFE)
    await within.in_turn(lambda: extend(within.bus.store, row.id, row.expires))
    return await _answer(within, row, there, 200, {})


@post(f"{ONE}/complete", before_request=admit, scope="write", operation=declared.COMPLETE)
async def complete_upload(request: ApiRequest) -> Answer:
    """The body says nothing: whatever it holds is not read."""
    within, id = services(request), _upload_id(request)
    product = await product_with_assets(request)
    receipt = receipt_for(request, {}, headers_of(id))
    try:
        await within.unless_answered(receipt)
        row = await detail(within.reader, request.auth.organization, product, id)
        if row is None:
            return await _completed(request, product, id)
        sha256 = await _whole(within, row)
        file = {"filename": row.filename, "content_type": row.content_type, "blob": row.blob}
        values = {**row.asked, **file, "size_bytes": row.size_bytes, "sha256": sha256}
        command = CreateAsset(id=id, product=product, values=values, steps=[ended(id)])
        try:
            return await made(request, command, receipt)
        except Busy:
            # Another request may have been first.
            with suppress(NotFound):
                return await _completed(request, product, id)
            raise
    except Replayed as replayed:
        return replay(request, replayed.receipt)


async def _completed(request: ApiRequest, product: UUID, id: UUID) -> Answer:
    """Answer with the asset that was made of the upload. Raises NotFound."""
    found = await asset.detail(services(request).reader, request.auth.organization, id)
    if found is None or found.product != product:
        raise NotFound
    return Answer(services(request).fill(request, found.document), 201, raw(headers_of(id)))


@delete(ONE, before_request=admit, scope="write", status_code=200, operation=declared.ABANDON)
async def abandon_upload(request: ApiRequest) -> Answer:
    within, row = services(request), await _row(request)
    await _abandoned(within, row)
    return Answer(status=204)


async def _abandoned(within: Services, row: Row) -> None:
    """Raises NotFound where it is over."""
    try:
        await within.in_turn(lambda: abandon(within.bus.store, row.id))
    except Conflict:
        raise NotFound from None
    await within.in_thread(lambda: within.blobs.discard(row.blob))


async def _there(within: Services, row: Row) -> dict[int, int]:
    """Return the size of each part that the bucket has, by number. Raises NotFound where it knows of none any more."""
    try:
        parts = await within.in_thread(lambda: within.blobs.parts(row.blob, row.multipart))
    except NotFound:
        # Put together already, by a request that came no further.
        size_bytes = await within.in_thread(lambda: within.blobs.size_bytes(row.blob))
        return dict(enumerate(row.sizes(), start=1)) if size_bytes == row.size_bytes else {}
    return {part.number: part.size_bytes for part in parts}


async def _whole(within: Services, row: Row) -> str:
    """Put the parts together and read the file back; return its SHA-256. Raises Invalid, NotFound."""
    await within.in_turn(lambda: extend(within.bus.store, row.id, datetime.now(UTC) + LIFE))
    with suppress(NotFound):
        parts = await within.in_thread(lambda: within.blobs.parts(row.blob, row.multipart))
        _refuse_gaps(row, parts)
        await within.in_thread(lambda: within.blobs.complete(row.blob, row.multipart, parts))
    reading = await within.in_thread(lambda: Reading(within.blobs, row.blob))
    while await within.in_thread(reading.go_on):
        pass
    problems: Mapping[str, list[str]] = {}
    if reading.size_bytes != row.size_bytes:
        problems = {"size": [f"The file has {reading.size_bytes} bytes."]}
    elif row.sha256 not in {None, reading.sha256}:
        problems = {"sha256": [f"The file's is {reading.sha256}."]}
    if problems:
        # What was put together cannot be changed any more.
        await _abandoned(within, row)
        raise Invalid(problems)
    return reading.sha256


def _refuse_gaps(row: Row, parts: list[StoredPart]) -> None:
    """Raises Invalid where parts are missing or not as large as they have to be."""
    there = {part.number: part.size_bytes for part in parts}
    wrong = []
    for number, size_bytes in enumerate(row.sizes(), start=1):
        if number not in there:
            wrong.append(f"Part {number} is missing.")
        elif there[number] != size_bytes:
            wrong.append(f"Part {number} has {there[number]} bytes instead of {size_bytes}.")
    wrong += [f"Part {number} is one too many." for number in there if number > len(row.sizes())]
    if wrong:
        raise Invalid({"parts": wrong[:_NAMED_AT_MOST]})


async def _answer(within: Services, row: Row, there: dict[int, int], status: int, headers: Mapping[str, str]) -> Answer:
    seconds = LIFE.total_seconds()

    def document() -> UploadDocument:
        return upload_document(
            row, there, lambda number: within.blobs.part_url(row.blob, row.multipart, number, seconds)
        )

    # Hundreds of addresses take a while to sign.
    return Answer(encode(await within.in_thread(document)), status, [*raw(headers), _NO_STORE])


async def _row(request: ApiRequest) -> Row:
    """Return the upload that the path names. Raises NotFound."""
    reader, product = services(request).reader, path_id(request, ids.PRODUCT)
    row = await detail(reader, request.auth.organization, product, _upload_id(request))
    if row is None:
        raise NotFound
    return row


def _upload_id(request: ApiRequest) -> UUID:
    id = ids.parse(ids.UPLOAD, request.scope["path_params"]["upload_uid"])
    if id is None:
        raise NotFound
    return id


def _path(request: ApiRequest) -> str:
    return f"{PATH.replace('{uid:str}', request.scope['path_params']['uid'])}/"


HANDLERS: list[Any] = [begin_upload, get_upload, complete_upload, abandon_upload]

"""/api/v1/imports/: hand a file of products in, watch its rows go into the catalogue."""

from pathlib import PurePath
from typing import Any
from uuid import UUID

from litestar import get, post
from uuid_utils.compat import uuid7

from api.answers import Answer
from api.auth import admit
from api.conditional import tagged
from api.errors import InvalidPage
from api.files import FileAnswer, attachment
from api.idempotency import receipt_for, replay
from api.objects import page_of, path_id, raw, show
from api.openapi import imports as declared
from api.pages import page_number, page_size
from api.requests import ApiRequest, parse_query
from api.services import services
from api.uploads import Upload, uploaded
from commands.imports.formats import ALIASES, KNOWN_NAMES
from commands.imports.job import RequestImport
from commands.save import Receipt, Replayed, Saved
from domain import ids
from domain.errors import Invalid, NotFound
from domain.imports.form import Asked, parse
from projections.documents import etag
from projections.imports import Row, detail, page

PATH = "/api/v1/imports"
PAGE_SIZE = 15
MAP_FIELDS = frozenset(KNOWN_NAMES) | frozenset(ALIASES)


@get(PATH, before_request=admit, scope="read", operation=declared.LIST)
async def list_imports(request: ApiRequest) -> Answer:
    query = parse_query(request.scope["query_string"])
    size = page_size(query, PAGE_SIZE)
    within = services(request)
    found = await page(within.reader, request.auth.organization, page_number(query), size)
    if found is None:
        raise InvalidPage
    body = page_of(request, PATH, query, count=found.total, number=found.number, size=size, results=found.results)
    return tagged(request.scope, body)


@post(PATH, before_request=admit, scope="write", status_code=202, operation=declared.CREATE)
async def create_import(request: ApiRequest) -> Answer:
    within, id = services(request), uuid7()
    headers = {"Location": f"{PATH}/{ids.uid(ids.IMPORT, id)}/"}
    async with uploaded(request) as form:
        asked, errors = parse(form.fields, MAP_FIELDS)
        errors |= form.errors
        try:
            upload = form.required_file("file")
        except Invalid as invalid:
            raise Invalid({**invalid.errors, **errors}) from None
        if errors:
            raise Invalid(errors)
        said = {"fields": form.fields, "filename": upload.filename, "sha256": upload.sha256}
        receipt = receipt_for(request, said, headers, status=202)
        try:
            saved = await _hand_in(request, id, upload, asked, receipt)
        except Replayed as replayed:
            return replay(request, replayed.receipt)
    return Answer(within.fill(request, saved.documents[id]), 202, raw(headers))


async def _hand_in(request: ApiRequest, id: UUID, upload: Upload, asked: Asked, receipt: Receipt | None) -> Saved:
    """Keep the file, then the request: what an event names exists. A file whose request was answered before goes."""
    within = services(request)
    await within.unless_answered(receipt)
    blob = f"{request.auth.organization}/imports/{id}/source.csv"
    await within.in_thread(lambda: within.blobs.put(blob, upload.file, upload.size_bytes, "text/csv"))
    command = RequestImport(
        id=id,
        filename=upload.filename,
        blob=blob,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        type=asked.type,
        mapping=asked.mapping,
        currency=asked.currency,
        dry_run=asked.dry_run,
    )
    try:
        return await within.execute(request, command, receipt=receipt)
    except Replayed:
        await within.in_thread(lambda: within.blobs.delete(blob))
        raise


@get(f"{PATH}/{{uid:str}}", before_request=admit, scope="read", operation=declared.GET)
async def get_import(request: ApiRequest) -> Answer:
    row = await _row(request)
    return show(request, row.document, etag(row.revision))


@get(f"{PATH}/{{uid:str}}/rejects", before_request=admit, scope="read", operation=declared.GET_REJECTS)
async def get_rejects(request: ApiRequest) -> FileAnswer:
    """The refused rows as CSV; 404 where there are none, or not yet."""
    row = await _row(request)
    if row.rejects_blob is None:
        raise NotFound
    within, key = services(request), row.rejects_blob
    is_head = request.scope["state"]["is_head"]
    chunks = iter(()) if is_head else await within.in_thread(lambda: within.blobs.get(key))
    headers = [(b"content-type", b"text/csv; charset=utf-8"), attachment(f"{PurePath(row.filename).stem}-rejects.csv")]
    return FileAnswer(chunks, within.threads, headers)


async def _row(request: ApiRequest) -> Row:
    row = await detail(services(request).reader, request.auth.organization, path_id(request, ids.IMPORT))
    if row is None:
        raise NotFound
    return row


HANDLERS: list[Any] = [list_imports, create_import, get_import, get_rejects]

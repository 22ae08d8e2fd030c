"""What a newcomer opens first: what this is, its OpenAPI document and its reference, none of which needs a key."""

import hashlib
from typing import Any

from litestar import Litestar, get
from msgspec import Struct

from api.answers import Answer, encode, json_answer
from api.conditional import is_known
from api.openapi.document import PATH as DOCUMENT_PATH
from api.openapi.document import VERSION, document
from api.openapi.page import reference_page
from api.requests import ApiRequest
from api.services import services

PATH = "/schema"
_HTML = b"text/html; charset=utf-8"
# The page has its style inside and needs nothing else.
_POLICY = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'")


class Docs(Struct, frozen=True):
    """Made once an app: its document as values and as JSON."""

    values: dict[str, Any]
    json: bytes
    etag: str

    @classmethod
    def of(cls, app: Litestar) -> "Docs":
        values = document(app.routes)
        json = encode(values)
        return cls(values, json, f'"{hashlib.sha256(json).hexdigest()[:16]}"')


@get("/")
async def root() -> Answer:
    return json_answer(
        {
            "name": "Deadwax",
            "description": "A products backend for record sellers and digital creators.",
            "version": VERSION,
            "documentation": PATH,
            "openapi": DOCUMENT_PATH,
        }
    )


@get(DOCUMENT_PATH)
async def show_document(request: ApiRequest) -> Answer:
    docs: Docs = request.app.state.docs
    headers = [(b"etag", docs.etag.encode()), (b"cache-control", b"no-cache"), (b"access-control-allow-origin", b"*")]
    if is_known(request.scope, docs.etag):
        return Answer(status=304, headers=headers)
    return Answer(docs.json, headers=headers)


@get(PATH)
async def show_reference(request: ApiRequest) -> Answer:
    docs: Docs = request.app.state.docs
    page = reference_page(docs.values, services(request).addresses.base_url(request.scope))
    return Answer(page, headers=[_POLICY], media_type=_HTML)


HANDLERS: list[Any] = [root, show_document, show_reference]

"""/api/v1/products/export/: all products that a list would show, streamed, however many there are."""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec
from litestar import get
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from api.answers import Header
from api.auth import admit
from api.files import attachment
from api.openapi import product_export as declared
from api.product_filters import product_query
from api.products import PATH
from api.requests import ApiRequest, Query, disconnected, header, parse_query
from api.services import services
from domain.errors import Invalid
from domain.fields import not_a_choice
from projections.documents import CreditDocument
from projections.product_document import Metadata
from projections.product_page import ProductQuery, batches

_OF_PAGES = frozenset({"page", "page_size", "cursor"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Format(NamedTuple):
    media_type: str
    extension: str


NDJSON, CSV = Format(declared.NDJSON, "ndjson"), Format(declared.CSV, "csv")
FORMATS = {"ndjson": NDJSON, "csv": CSV}


class Line(Struct, frozen=True):
    """A product as a line of a table: what is not one value, or a list of texts, is left to the other format."""

    uid: str
    title: str | None
    type: str
    artist: CreditDocument | None
    music_label: CreditDocument | None
    catalog_number: str | None
    sku: str | None
    upc: str | None
    formats: tuple[str, ...] | None
    year: str | None
    tags: tuple[str, ...]
    marketplace_description: str | None
    license_type: str | None
    license_notes: str | None
    media_type: str | None
    is_mature_content: bool
    default_visibility: str | None
    default_shop_product: bool
    background_color: str | None
    price_computed_usd: str | None
    price_override_usd: str | None
    total_inventory_count: int
    listed_inventory_count: int
    available_inventory_count: int
    product_image: str | None
    metadata: Metadata | None
    created: str
    updated: str


COLUMNS = (
    *(name for name in Line.__struct_fields__ if name not in {"metadata", "created", "updated"}),
    *Metadata.__struct_fields__,
    "created",
    "updated",
)
_line = msgspec.json.Decoder(Line).decode


@get(f"{PATH}/export", before_request=admit, scope="read", operation=declared.EXPORT)
async def export_products(request: ApiRequest) -> "Stream":
    within, caller = services(request), request.auth
    format, asked = _asked(request)
    found = batches(within.reader, caller.organization, asked, caller.product_count, caller.revision)
    # What cannot be read at all is refused before the answer begins.
    first = await anext(found)

    async def chunks() -> AsyncGenerator[bytes, None]:
        if format is CSV:
            yield _csv([COLUMNS])
        yield _written(request, format, first)
        async for documents in found:
            yield _written(request, format, documents)

    headers = [
        (b"content-type", f"{format.media_type}; charset=utf-8".encode()),
        attachment(f"products.{format.extension}"),
        (b"cache-control", b"private, no-store"),
        (b"vary", b"accept"),
    ]
    return Stream(chunks(), headers)


def _asked(request: ApiRequest) -> tuple[Format, ProductQuery]:
    """Return how and what to export. Raises Invalid with everything that is wrong."""
    query = parse_query(request.scope["query_string"])
    errors: dict[str, Any] = {}
    named = query.last("format")
    format = _accepted(header(request.scope, b"accept") or "") if named is None else FORMATS.get(named)
    if format is None:
        errors["format"] = [not_a_choice(named)]
    asked = ProductQuery()
    try:
        asked = product_query(Query(tuple(part for part in query.parts if part[0] not in _OF_PAGES)))
    except Invalid as invalid:
        errors |= invalid.errors
    if errors or format is None:
        raise Invalid(errors)
    return format, asked


def _accepted(accept: str) -> Format:
    """Return the format that an Accept header prefers, the default where it names none."""
    best, quality = NDJSON, 0.0
    for piece in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in piece.split(";"))
        named = next((format for format in FORMATS.values() if format.media_type == media_type), None)
        given = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            weight = float(given)
        except ValueError:
            continue
        if named is not None and weight > quality:
            best, quality = named, weight
    return best


def _written(request: ApiRequest, format: Format, documents: Sequence[str]) -> bytes:
    if not documents:
        return b""
    lines = services(request).fill(request, "\n".join(documents))
    if format is NDJSON:
        return lines + b"\n"
    return _csv([_cells(_line(line)) for line in lines.split(b"\n")])


def _cells(line: Line) -> list[str]:
    metadata = line.metadata or Metadata(None, None)
    return [_cell(getattr(metadata if name in Metadata.__struct_fields__ else line, name)) for name in COLUMNS]


def _cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case CreditDocument(name=name):
            text = name
        case tuple():
            text = ", ".join(value)
        case _:
            text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


class Stream:
    """An ASGI response whose body is made while it is sent: the next chunk when the last one is on its way.

    It ends early when its client has gone: an empty chunk is none, but a moment to notice that. What fails breaks the
    connection off, so that no client takes what it got for the whole.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], headers: Sequence[Header]) -> None:
        self._chunks = chunks
        self._headers = [*headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        gone = asyncio.create_task(disconnected(receive))
        try:
            async with aclosing(self._chunks) as chunks:
                # Nothing is made for a HEAD.
                while not scope["state"]["is_head"] and (chunk := await anext(chunks, None)) is not None:
                    if gone.done():
                        return
                    if chunk:
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()


HANDLERS: list[Any] = [export_products]

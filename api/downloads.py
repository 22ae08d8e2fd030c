"""/api/v1/digital/download/{token}/: what a buyer downloads. Whoever has the link needs no key."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog
from litestar import get
from litestar.types import ASGIApp
from msgspec import Struct

from api import download_page as pages
from api.answers import Answer, Header, encode
from api.conditional import is_known
from api.download_access import PRIVATE, REFUSALS, Access, Refused, accessed, early, wants_json
from api.download_page import HTML, File, Offer, policy, size_words
from api.files import BlobReading, FileAnswer, attachment, clean_name, close
from api.openapi import downloads as declared
from api.ranges import Span, Unsatisfiable, asked_span, http_date, still_is
from api.requests import ApiRequest, header, request_id
from api.services import services
from api.zips import Packed, Zip, unique_names
from commands.download import OpenDownloads, Sent, note_sent
from commands.work import Context
from domain import ids
from domain.errors import DeadwaxError, NotFound, Unavailable
from domain.purchase.errors import Expired, Revoked, UsedUp
from domain.purchase.events import SoldAsset
from projections import download
from projections.download import OfferDocument, OfferedFile, OfferedProduct
from projections.image_document import PATH as MEDIA_PATH
from projections.purchase_document import DOWNLOAD_PATH

PATH = f"{DOWNLOAD_PATH}/{{token:str}}"
FILE = f"{PATH}/{{asset_uid:str}}"
ALL = f"{PATH}/all.zip"
BUYER = "buyer"
"""Who opens a download, in the log."""
UNTITLED = "Your download"
REDIRECT_SECONDS = 300
_ENDING = re.compile(r"\.\w+$")
_log = structlog.get_logger("api.downloads")


class _Product(Struct):
    product_image: str | None


@get(PATH, operation=declared.PAGE, exception_handlers=REFUSALS)
async def show_page(request: ApiRequest) -> Answer:
    if (refused := early(request)) is not None:
        return refused
    access = await accessed(request)
    access.refuse_beyond(1)
    image = _image(request, access)
    if wants_json(request.scope):
        return Answer(encode(_described(access, image)), headers=[*PRIVATE, policy()])
    cover = _cover(request, image)
    page = pages.show_offer(_offer(access, cover))
    return Answer(page, headers=[*PRIVATE, policy(*([cover] if cover else []))], media_type=HTML)


@get(FILE, operation=declared.FILE, exception_handlers=REFUSALS)
async def get_file(request: ApiRequest) -> ASGIApp:
    if (refused := early(request)) is not None:
        return refused
    access = await accessed(request)
    id = ids.parse(ids.ASSET, request.scope["path_params"]["asset_uid"])
    file = next((sold for sold in access.purchase.assets if sold.id == id), None)
    if file is None:
        raise Refused(pages.no_such_file(access.url))
    if file.id not in access.begun:
        access.refuse_beyond(1)
    tag, modified = _tag(file), access.purchase.created
    headers: list[Header] = [
        *PRIVATE,
        policy(),
        (b"etag", tag.encode()),
        (b"last-modified", http_date(modified).encode()),
        (b"accept-ranges", b"bytes"),
    ]
    if is_known(request.scope, tag):
        return Answer(status=304, headers=headers)
    span = _span(request, file, tag, modified)
    headers += [
        (b"content-type", file.content_type.encode()),
        attachment(file.filename),
    ]
    within = services(request)
    if request.scope["state"]["is_head"]:
        headers.append((b"content-length", b"%d" % file.size_bytes))
        return FileAnswer(iter(()), within.download_threads, headers)
    if 0 < within.settings.download_redirect_bytes <= file.size_bytes:
        await _opened(request, access, [file])
        return _handed_off(request, file)
    start, end = span or Span(0, file.size_bytes)
    chunks = await _reading(request, file, start, end)
    try:
        [id] = await _opened(request, access, [file])
    except BaseException:
        close(chunks)
        raise
    headers.append((b"content-length", b"%d" % (end - start)))
    if span is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, file.size_bytes)))

    async def noted(sent: int) -> None:
        await _note(request, [Sent(id, start, start + sent)])

    return FileAnswer(chunks, within.download_threads, headers, 200 if span is None else 206, noted)


@get(ALL, operation=declared.ALL, exception_handlers=REFUSALS)
async def get_all(request: ApiRequest) -> ASGIApp:
    if (refused := early(request)) is not None:
        return refused
    access = await accessed(request)
    files = access.purchase.assets
    access.refuse_beyond(sum(file.id not in access.begun for file in files))
    within = services(request)
    names = unique_names([clean_name(file.filename) for file in files])
    packed = [
        Packed(name, file.size_bytes, partial(BlobReading, within.blobs, file.blob, 0, file.size_bytes))
        for name, file in zip(names, files, strict=True)
    ]
    headers = [
        *PRIVATE,
        policy(),
        (b"content-type", b"application/zip"),
        (b"accept-ranges", b"none"),
        attachment(f"{access.purchase.title or UNTITLED}.zip"),
    ]
    if request.scope["state"]["is_head"]:
        headers.append((b"content-length", b"%d" % Zip(packed).size_bytes))
        return FileAnswer(iter(()), within.download_threads, headers)
    # The first one is opened before it is counted: a file store that is away costs no download.
    first = await _reading(request, files[0], 0, files[0].size_bytes)
    try:
        begun = await _opened(request, access, files)
    except BaseException:
        close(first)
        raise
    made = Zip([packed[0]._replace(read=lambda: first), *packed[1:]])
    headers.append((b"content-length", b"%d" % made.size_bytes))

    async def noted(sent: int) -> None:
        await _note(request, [Sent(id, 0, part) for id, part in zip(begun, made.parts(sent), strict=False)])

    return FileAnswer(made.chunks(), within.download_threads, headers, 200, noted)


def _image(request: ApiRequest, access: Access) -> str | None:
    """Return the address of the product's image, where it still is there and has one."""
    if access.shop.product is None:
        return None
    filled = services(request).fill(request, access.shop.product)
    return msgspec.json.decode(filled, type=_Product).product_image


def _cover(request: ApiRequest, image: str | None) -> str | None:
    """Return the address of a picture of ours, in a fitting size. Nobody else gets to know who opens the page."""
    within = services(request)
    base = within.settings.media_base_url or within.addresses.base_url(request.scope)
    if image is None or not image.startswith(f"{base}{MEDIA_PATH}/"):
        return None
    return _ENDING.sub("-1024.webp", image)


def _url(access: Access, file: SoldAsset) -> str:
    return f"{access.url}{ids.uid(ids.ASSET, file.id)}/"


def _described(access: Access, image: str | None) -> OfferDocument:
    return OfferDocument(
        product=OfferedProduct(access.purchase.title, image),
        seller=access.shop.name,
        files=[
            OfferedFile(
                uid=ids.uid(ids.ASSET, file.id),
                display_name=file.display_name,
                filename=file.filename,
                size=file.size_bytes,
                content_type=file.content_type,
                url=_url(access, file),
            )
            for file in access.purchase.assets
        ],
        expires_at=access.purchase.expires_at,
        downloads_remaining=access.remaining,
    )


def _offer(access: Access, cover: str | None) -> Offer:
    sold, remaining = access.purchase.assets, access.remaining
    together = None
    if len(sold) > 1 and (remaining is None or sum(file.id not in access.begun for file in sold) <= remaining):
        size = size_words(sum(file.size_bytes for file in sold))
        together = File(filename="all.zip", size=size, url=f"{access.url}all.zip")
    return Offer(
        title=access.purchase.title or UNTITLED,
        seller=access.shop.name,
        cover=cover,
        terms=pages.terms(access.purchase.expires_at, remaining),
        files=[
            File(
                display_name=file.display_name,
                filename=clean_name(file.filename),
                size=size_words(file.size_bytes),
                url=_url(access, file),
            )
            for file in sold
        ],
        all=together,
    )


def _tag(file: SoldAsset) -> str:
    """Return the file's entity tag: what is at a key of the bucket never changes, and the key is nobody's business."""
    return f'"{hashlib.sha256(file.blob.encode()).hexdigest()[:32]}"'


def _span(request: ApiRequest, file: SoldAsset, tag: str, modified: datetime) -> Span | None:
    """Return what part of the file is asked for, None for the whole. Raises Refused where it has no such part."""
    asked = header(request.scope, b"range")
    if asked is None or request.scope["state"]["is_head"]:
        return None
    if not still_is(header(request.scope, b"if-range"), tag, modified):
        return None
    try:
        return asked_span(asked, file.size_bytes)
    except Unsatisfiable:
        raise Refused(pages.BEYOND, {"Content-Range": f"bytes */{file.size_bytes}"}) from None


async def _reading(request: ApiRequest, file: SoldAsset, start: int, end: int) -> BlobReading:
    """Open what was sold. Raises Unavailable, also where it is not there: a buyer is owed it, not a 404."""
    within = services(request)
    try:
        return await within.in_download_thread(lambda: BlobReading(within.blobs, file.blob, start, end))
    except NotFound as error:
        asset = ids.uid(ids.ASSET, file.id)
        _log.error("a file that was sold is missing", request_id=request_id(request.scope), asset=asset)
        raise Unavailable from error


async def _opened(request: ApiRequest, access: Access, files: Sequence[SoldAsset]) -> list[UUID]:
    """Return the downloads of these files, counted now where they were not begun before. Raises Refused."""
    begun = access.begun
    if any(file.id not in begun for file in files):
        within, purchase = services(request), access.purchase
        command = OpenDownloads(
            purchase=purchase.id,
            assets=tuple(file.id for file in files),
            ip=access.ip,
            user_agent=access.user_agent,
        )
        context = Context(purchase.organization, BUYER, request_id(request.scope))
        try:
            async with within.opening_turns:
                await within.in_turn(lambda: within.bus.execute(command, context))
        except (Revoked, Expired, UsedUp):
            # It was not so a moment ago: what is said now is what anybody would be told.
            again = await accessed(request)
            again.refuse_beyond(sum(file.id not in again.begun for file in files))
            raise Refused(pages.used_up(again.shop.name, again.purchase.max_downloads or 0)) from None
        # A twin of this request may have been the one that was counted.
        begun = await download.begun(within.reader, purchase.id, access.ip, access.since)
    return [begun[file.id] for file in files]


def _handed_off(request: ApiRequest, file: SoldAsset) -> Answer:
    """Send the client to the file store itself, for a short while."""
    named = attachment(file.filename)[1].decode()
    url = services(request).blobs.download_url(file.blob, REDIRECT_SECONDS, named, file.content_type)
    return Answer(b"", 302, [*PRIVATE, policy(), (b"location", url.encode())], HTML)


async def _note(request: ApiRequest, sent: Sequence[Sent]) -> None:
    """Note what was sent. What cannot be is lost: the answer is over."""
    if not any(part.end > part.start for part in sent):
        return
    within = services(request)
    try:
        await within.in_turn(lambda: note_sent(within.bus.store, sent))
    except DeadwaxError:
        _log.warning("what was sent of a download is not noted", request_id=request_id(request.scope))


HANDLERS: list[Any] = [show_page, get_file, get_all]

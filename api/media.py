"""/media/…: pictures as browsers and CDNs fetch them, without credentials: who has the address may see."""

import re
from typing import Any, NamedTuple

from litestar import get

from api.conditional import is_known
from api.files import FileAnswer
from api.openapi import images as declared
from api.requests import ApiRequest
from api.services import services
from commands.image_blobs import size_key
from commands.images import SIZE_TYPE, SIZES
from domain.errors import NotFound
from projections.image_document import PATH
from projections.images import Media, media

FOREVER = b"public, max-age=31536000, immutable"
# A size that a worker has yet to make, or could not: the original stands in for it.
FOR_NOW = b"public, max-age=30"
_TOKEN = re.compile(r"[0-9a-f]{32}")


class _File(NamedTuple):
    key: str
    content_type: str
    size_bytes: int
    cached: bytes = FOREVER


@get(f"{PATH}/{{token:str}}/{{name:str}}", operation=declared.GET_MEDIA)
async def get_media(request: ApiRequest) -> FileAnswer:
    token, name = request.scope["path_params"]["token"], request.scope["path_params"]["name"]
    within = services(request)
    found = await media(within.reader, token) if _TOKEN.fullmatch(token) else None
    file = None if found is None else _named(found, name)
    if file is None:
        raise NotFound
    # What is at a key never changes.
    tag = f'"{file.key.rpartition("/")[2]}"'
    headers = [
        (b"cache-control", file.cached),
        (b"etag", tag.encode()),
        (b"content-security-policy", b"default-src 'none'"),
    ]
    if is_known(request.scope, tag):
        return FileAnswer(iter(()), within.threads, headers, 304)
    is_head = request.scope["state"]["is_head"]
    chunks = iter(()) if is_head else await within.in_thread(lambda: within.blobs.get(file.key))
    sent = [(b"content-type", file.content_type.encode()), (b"content-length", b"%d" % file.size_bytes)]
    return FileAnswer(chunks, within.threads, [*headers, *sent])


def _named(found: Media, name: str) -> _File | None:
    """Return the file that is served under this name of the picture, None where none is."""
    original = _File(found.blob, found.content_type, found.size_bytes)
    if name == found.blob.rpartition("/")[2]:
        return original
    for side, size_bytes in zip(SIZES, (found.small_bytes, found.large_bytes), strict=True):
        key = size_key(found.blob, side)
        if name == key.rpartition("/")[2]:
            if size_bytes is None:
                return original._replace(cached=FOR_NOW)
            return _File(key, SIZE_TYPE, size_bytes)
    return None


HANDLERS: list[Any] = [get_media]

"""Pictures as answers show them."""

from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from domain import ids
from domain.image import Image, Photo

MEDIA_URL = "\x07"
"""A hole like documents' own: where pictures are served from, the deployment itself or a CDN before it."""
PATH = "/media"

_encode = msgspec.json.Encoder().encode


class PhotoDocument(Struct, frozen=True, kw_only=True):
    uid: str
    url: Raw
    filename: str
    content_type: str
    width: int
    height: int
    created: datetime


def image_url(image: Image) -> str:
    """Return the picture's address as a JSON string with a hole.

    It leads to the original; `-256.webp` and `-1024.webp` in place of the name's ending lead to its small sizes.
    """
    return f'"{MEDIA_URL}{PATH}/{image.token}/{image.blob.rpartition("/")[2]}"'


def photo_document(photo: Photo) -> PhotoDocument:
    return PhotoDocument(
        uid=ids.uid(ids.ASSET, photo.id),
        url=Raw(image_url(photo).encode()),
        filename=photo.filename,
        content_type=photo.content_type,
        width=photo.width,
        height=photo.height,
        created=photo.created,
    )


def photo_json(photo: Photo) -> str:
    """Return the photo object as JSON text with its hole."""
    return _encode(photo_document(photo)).decode()

"""Where pictures are kept in the bucket, and how they get there and away."""

import secrets
from pathlib import PurePath
from uuid import UUID

from commands.blobs import Blobs
from commands.images import SIZE_TYPE, SIZES, Picture
from commands.store import Store
from domain.event import Step
from domain.image import Image

_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", SIZE_TYPE: ".webp"}
_TOKEN_BYTES = 16


def image_of(id: UUID, organization: UUID, picture: Picture, filename: str) -> Image:
    """Return what the log is to know of a picture, under a key that nobody can guess."""
    token = secrets.token_hex(_TOKEN_BYTES)
    return Image(
        id=id,
        blob=f"{organization}/images/{token}/image{_ENDINGS[picture.content_type]}",
        content_type=picture.content_type,
        width=picture.width,
        height=picture.height,
        size_bytes=picture.size_bytes,
        filename=filename,
    )


def size_key(blob: str, side: int) -> str:
    """Return the key of a small size of the picture whose original is `blob`."""
    original = PurePath(blob)
    return str(original.with_name(f"{original.stem}-{side}.webp"))


def announce(store: Store, image: Image, organization: UUID) -> None:
    """Note that the picture is about to be kept, so that it is collected where no event comes to name it."""
    values = (image.id, organization, image.token, image.blob, image.content_type, image.size_bytes)
    store.save([], steps=[Step("announce_image(%b, %b, %s, %s, %s, %b::bigint)", values)])


def delete(blobs: Blobs, blob: str) -> None:
    """Remove a picture and its small sizes. Raises Unavailable."""
    for key in (*(size_key(blob, side) for side in SIZES), blob):
        blobs.delete(key)

"""Pictures: what the log knows of a file in the bucket."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct


class Image(Struct, frozen=True, kw_only=True):
    """`blob` is the original's key in the bucket, `filename` what its sender called it; upright, in pixels."""

    id: UUID
    blob: str
    content_type: str
    width: int
    height: int
    size_bytes: int
    filename: str

    @property
    def token(self) -> str:
        """The part of its address that nobody can guess."""
        return self.blob.split("/")[-2]


class Photo(Image, frozen=True, kw_only=True):
    """A picture of one inventory item."""

    created: datetime

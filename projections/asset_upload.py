"""Uploads under way: what there is to know of each, and how it is answered."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from domain import ids
from projections.base import Reader, queries

_SQL = queries("asset_upload")


class PartDocument(Struct, frozen=True, kw_only=True):
    """`size` is in bytes. PUT exactly these of the file to `url`; null once the part is there."""

    number: int
    size: int
    is_uploaded: bool
    url: str | None


class UploadDocument(Struct, frozen=True, kw_only=True):
    """`part_size` is in bytes; the last part has what is left."""

    uid: str
    product_uid: str
    filename: str
    content_type: str
    size: int
    sha256: str | None
    display_name: str | None
    description: str | None
    is_primary: bool
    part_size: int
    parts: Sequence[PartDocument]
    created: datetime
    expires: datetime


class Row(NamedTuple):
    """An upload. `multipart` is the bucket's name for it, `asked` by field what else the asset will be."""

    id: UUID
    product: UUID
    blob: str
    multipart: str
    filename: str
    content_type: str
    size_bytes: int
    part_bytes: int
    sha256: str | None
    asked: dict[str, Any]
    created: datetime
    expires: datetime

    def sizes(self) -> list[int]:
        """Return the size of each part in bytes."""
        whole, rest = divmod(self.size_bytes, self.part_bytes)
        return [self.part_bytes] * whole + ([rest] if rest else [])


async def detail(reader: Reader, organization: UUID, product: UUID, id: UUID) -> Row | None:
    """Return an upload of a product; None where there is none, or none any more."""
    found = await reader.row(_SQL["detail"], [id, organization, product])
    if found is None:
        return None
    return Row(*found)._replace(asked=msgspec.json.decode(found[Row._fields.index("asked")]))


def upload_document(row: Row, there: dict[int, int], url: Callable[[int], str | None]) -> UploadDocument:
    """Return the object of an upload. `there` are the sizes of the parts that the bucket has, `url` makes the address
    of one that it has not."""
    parts = []
    for number, size_bytes in enumerate(row.sizes(), start=1):
        is_there = there.get(number) == size_bytes
        address = None if is_there else url(number)
        parts.append(PartDocument(number=number, size=size_bytes, is_uploaded=is_there, url=address))
    return UploadDocument(
        uid=ids.uid(ids.UPLOAD, row.id),
        product_uid=ids.uid(ids.PRODUCT, row.product),
        filename=row.filename,
        content_type=row.content_type,
        size=row.size_bytes,
        sha256=row.sha256,
        display_name=row.asked.get("display_name"),
        description=row.asked.get("description"),
        is_primary=bool(row.asked.get("is_primary")),
        part_size=row.part_bytes,
        parts=parts,
        created=row.created,
        expires=row.expires,
    )

"""Files that clients send to the bucket themselves, part by part, before they become digital assets.

None of this is in the log: an upload is a promise, and what comes of it is an asset or nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from commands.asset_blobs import part_bytes
from commands.children import hold
from commands.save import Saved
from commands.store import Store
from commands.work import Work
from domain.asset import asset as assets
from domain.event import Step
from domain.product import product as products

LIFE = timedelta(hours=24)
"""So long an upload waits for its next part or question."""
PART_BYTES = 16 * 1024**2
PARTS = 1000


class BeginUpload(Struct, frozen=True, kw_only=True):
    """`multipart` is the bucket's own name for what was begun there; `asked` what else the asset will be, by field."""

    id: UUID
    product: UUID
    blob: str
    multipart: str
    filename: str
    content_type: str
    size_bytes: int
    sha256: str | None
    asked: Mapping[str, Any]
    expires: datetime

    @property
    def subject(self) -> UUID:
        return self.product

    @property
    def part_bytes(self) -> int:
        return size_of_parts(self.size_bytes)


def size_of_parts(size_bytes: int) -> int:
    """Return how large the parts of such a file are, but for the last."""
    return part_bytes(size_bytes, PART_BYTES, PARTS)


def begin(command: BeginUpload, work: Work) -> Saved:
    """Raises NotFound, Invalid."""
    product = work.load(command.product, products.fold)
    assets.refuse_on(product.type)
    values = (
        command.id,
        product.organization,
        product.id,
        command.blob,
        command.multipart,
        command.filename,
        command.content_type,
        command.size_bytes,
        command.part_bytes,
        command.sha256,
        msgspec.json.encode(command.asked).decode(),
        command.expires,
    )
    call = "begin_asset_upload(%b, %b, %b, %s, %s, %s, %s, %b::bigint, %b::bigint, %s, %s, %b)"
    return work.save([], steps=[hold(product.id), Step(call, values)])


def extend(store: Store, id: UUID, expires: datetime) -> None:
    store.save([], steps=[Step("extend_asset_upload(%b, %b)", (id, expires))])


def ended(id: UUID) -> Step:
    """Return the step that has an upload be over, in the write that makes an asset of it."""
    return Step("end_asset_upload(%b)", (id,))


def abandon(store: Store, id: UUID) -> None:
    """End an upload; its file can become no asset from now on. Raises Conflict where it is over."""
    store.save([], steps=[Step("abandon_asset_upload(%b)", (id,))])


HANDLERS: dict[Any, Any] = {BeginUpload: begin}

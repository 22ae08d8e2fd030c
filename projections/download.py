"""Downloads as they are read: what the page behind a link needs beside the purchase, and the seller's log."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from domain import ids
from projections.base import Reader, queries

_SQL = queries("download")


class Shop(NamedTuple):
    """Who sells, and the product's document as it is now, with its holes; None where the product is gone."""

    name: str
    product: str | None


class OfferedProduct(Struct, frozen=True):
    title: str | None
    image: str | None


class OfferedFile(Struct, frozen=True):
    uid: str
    display_name: str | None
    filename: str
    size: int
    content_type: str
    url: str


class OfferDocument(Struct, frozen=True, kw_only=True):
    """A purchase as its buyer sees it. `downloads_remaining` is None where there is no limit."""

    product: OfferedProduct
    seller: str
    files: Sequence[OfferedFile]
    expires_at: datetime | None
    downloads_remaining: int | None


class DownloadedAsset(Struct, frozen=True):
    uid: str
    filename: str


class DownloadDocument(Struct, frozen=True, kw_only=True):
    """A counted download. Who is None once it was erased."""

    asset: DownloadedAsset
    started_at: datetime
    ip: str | None
    user_agent: str | None
    bytes_sent: int
    completed: bool


async def shop(reader: Reader, organization: UUID, product: UUID) -> Shop:
    found = await reader.row(_SQL["shop"], [product, organization])
    return Shop("", None) if found is None else Shop(*found)


async def begun(reader: Reader, purchase: UUID, ip: str, since: datetime) -> dict[UUID, UUID]:
    """Return the downloads that an address has begun since then, by asset."""
    return dict(await reader.rows(_SQL["begun"], [purchase, ip, since]))


async def log(reader: Reader, purchase: UUID, *, offset: int, limit: int) -> Sequence[DownloadDocument]:
    """Return downloads, newest first."""
    rows = await reader.rows(_SQL["log"], [purchase, limit, offset])
    return [
        DownloadDocument(
            asset=DownloadedAsset(ids.uid(ids.ASSET, asset), filename),
            started_at=started,
            ip=ip,
            user_agent=user_agent,
            bytes_sent=bytes_sent,
            completed=completed,
        )
        for asset, filename, started, ip, user_agent, bytes_sent, completed in rows
    ]


async def count(reader: Reader, purchase: UUID) -> int:
    [found] = await reader.row(_SQL["count"], [purchase]) or (0,)
    return int(found)

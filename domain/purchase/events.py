from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from domain.event import DomainEvent


class SoldAsset(Struct, frozen=True):
    """A file as it was sold; `blob` is its key in the bucket."""

    id: UUID
    blob: str
    filename: str
    display_name: str | None
    content_type: str
    size_bytes: int


class PurchaseCreated(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A buyer bought a product, and is owed the first mail. `title` and `type` are the product's as sold, `assets` its
    files, the primary one first. `buyer` is a row that can be erased; `token_digest` is SHA-256 of the link's token."""

    TOPIC: ClassVar[str] = "purchase.created.v1"

    product: UUID
    title: str | None
    type: str
    buyer: UUID
    external_order_id: str | None = None
    max_downloads: int | None = None
    expires_at: datetime | None = None
    assets: tuple[SoldAsset, ...]
    token_digest: bytes


class EmailSent(DomainEvent, frozen=True, kw_only=True):
    """The mail server took over mail `number`, 1 for the first and one more for each that was asked for later."""

    TOPIC: ClassVar[str] = "purchase.email-sent.v1"

    number: int
    attempt: int


class EmailFailed(DomainEvent, frozen=True, kw_only=True):
    """An attempt at mail `number` came to nothing. `reason` is in our own words, with the server's code and nothing
    else of what it said; `due` is when it is tried again, None where it is not."""

    TOPIC: ClassVar[str] = "purchase.email-failed.v1"

    number: int
    attempt: int
    reason: str
    due: datetime | None


class EmailRequested(DomainEvent, frozen=True, kw_only=True):
    """The seller asked for the mail once more."""

    TOPIC: ClassVar[str] = "purchase.email-requested.v1"


class PurchaseRevoked(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "purchase.revoked.v1"


class PurchaseRestored(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "purchase.restored.v1"


class DownloadOpened(DomainEvent, frozen=True, kw_only=True):
    """A download that counts. Who and from where is in a row of this id, which can be erased."""

    TOPIC: ClassVar[str] = "purchase.download-opened.v1"

    download: UUID
    asset: UUID


class BuyerErased(DomainEvent, frozen=True, kw_only=True):
    """Who bought is known no more."""

    TOPIC: ClassVar[str] = "purchase.buyer-erased.v1"


PurchaseEvent = (
    PurchaseCreated
    | EmailSent
    | EmailFailed
    | EmailRequested
    | PurchaseRevoked
    | PurchaseRestored
    | DownloadOpened
    | BuyerErased
)

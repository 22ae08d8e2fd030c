from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.event import DomainEvent


class AssetCreated(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A file that buyers of a product download was uploaded. `blob` is its key in the bucket, `sha256` hexadecimal."""

    TOPIC: ClassVar[str] = "asset.created.v1"

    product: UUID
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    blob: str
    display_name: str | None = None
    description: str | None = None
    is_primary: bool = False


class AssetRevised(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Fields took new values; a field that is UNSET kept its own."""

    TOPIC: ClassVar[str] = "asset.revised.v1"

    display_name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    is_primary: bool | UnsetType = UNSET


class AssetDeleted(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "asset.deleted.v1"


AssetEvent = AssetCreated | AssetRevised | AssetDeleted

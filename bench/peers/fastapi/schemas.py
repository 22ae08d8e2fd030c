"""The product object, read from the records' attributes and written as JSON in one pass."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _FromRecord(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Named(_FromRecord):
    uid: str
    name: str


class PlatformReference(_FromRecord):
    uid: str
    name: str
    slug: str


class Platform(PlatformReference):
    display_name: str
    platform_type: str
    supports_digital: bool
    supports_api_connection: bool
    connection_type: str | None


class Item(_FromRecord):
    uid: str
    title: str | None
    status: str
    status_display: str
    condition_item: str | None
    condition_item_display: str | None
    condition_container: str | None
    condition_container_display: str | None
    condition_comments: str | None
    price_total_usd: Decimal | None
    listing_current_price: Decimal | None
    price_expected_usd: Decimal | None
    resolved_sku: str | None
    resolved_sku_source: str | None
    grade_tier_code: str | None
    grade_tier_label: str | None
    created: datetime
    updated: datetime


class Presence(_FromRecord):
    id: int
    platform: PlatformReference
    external_listing_id: str | None
    external_url: str | None
    status: str
    listing_price: Decimal | None
    listing_currency: str
    listing_price_usd: Decimal | None
    is_selling_enabled: bool
    price_last_updated: datetime | None
    last_checked_at: datetime | None
    created_at: datetime
    updated_at: datetime
    image_url: str | None


class RedbubblePresence(_FromRecord):
    exists: bool = True
    external_url: str | None
    external_listing_id: str | None
    status: str | None


NO_REDBUBBLE = RedbubblePresence(exists=False, external_url=None, external_listing_id=None, status=None)


class Metadata(_FromRecord):
    external_id: str | None
    external_id_title: str | None


class Product(_FromRecord):
    uid: str
    title: str | None
    type: str
    type_display: str
    artist: Named | None
    music_label: Named | None
    catalog_number: str | None
    sku: str | None
    upc: str | None
    formats: list[str] | None
    year: str | None
    marketplace_description: str | None
    license_type: str | None
    license_notes: str | None
    tags: list[str]
    media_type: str | None
    is_mature_content: bool
    default_visibility: str | None
    default_shop_product: bool
    background_color: str | None
    enabled_product_types: dict[str, Any] | None
    collections: dict[str, Any] | None
    price_computed_usd: Decimal | None
    price_override_usd: Decimal | None
    resolved_identifier: str | None
    resolved_identifier_source: str | None
    product_image: str | None
    total_inventory_count: int
    listed_inventory_count: int
    available_inventory_count: int
    has_primary_asset: bool
    inventory_items: list[Item]
    available_platforms: list[Platform]
    marketplace_presences: list[Presence]
    redbubble_presence: RedbubblePresence
    metadata: Metadata | None = Field(validation_alias="identity_elsewhere")
    created: datetime
    updated: datetime


class Page(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[Product]

"""The tables of ../schema.sql. What a record does not hold itself is a property of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.schema import ForeignKey
from sqlalchemy.types import BigInteger, DateTime, Numeric

from bench.peers import rules
from bench.peers.fastapi import schemas
from domain.choices import GRADE_TIERS, INVENTORY_STATUSES, PRODUCT_TYPES
from domain.inventory import described


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - the library's form
        int: BigInteger,
        str: Text,
        Decimal: Numeric(12, 2),
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB,
    }

    id: Mapped[int] = mapped_column(primary_key=True)


class Organization(Base):
    __tablename__ = "organizations"

    uid: Mapped[str]
    name: Mapped[str]


class ApiKey(Base):
    __tablename__ = "api_keys"

    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    digest: Mapped[str]
    revoked: Mapped[datetime | None]


class Platform(Base):
    __tablename__ = "platforms"

    uid: Mapped[str]
    name: Mapped[str]
    slug: Mapped[str]
    display_name: Mapped[str]
    platform_type: Mapped[str]
    supports_digital: Mapped[bool]
    supports_api_connection: Mapped[bool]
    connection_type: Mapped[str | None]


class Artist(Base):
    __tablename__ = "artists"

    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    uid: Mapped[str]
    name: Mapped[str]


class Label(Base):
    __tablename__ = "labels"

    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    uid: Mapped[str]
    name: Mapped[str]


class Tag(Base):
    """A tag that some product of the organization has."""

    __tablename__ = "tags"

    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    name: Mapped[str]


class Item(Base):
    __tablename__ = "inventory_items"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    uid: Mapped[str]
    number: Mapped[int]
    name: Mapped[str | None]
    status: Mapped[str]
    condition_item: Mapped[str | None]
    condition_container: Mapped[str | None]
    condition_comments: Mapped[str | None]
    price_total_usd: Mapped[Decimal | None]
    listing_current_price: Mapped[Decimal | None]
    price_expected_usd: Mapped[Decimal | None]
    manual_sku: Mapped[str | None]
    created: Mapped[datetime]
    updated: Mapped[datetime]
    product: Mapped["Product"] = relationship(back_populates="inventory_items")

    @property
    def title(self) -> str:
        return described.title(self, self.product)

    @property
    def status_display(self) -> str:
        return INVENTORY_STATUSES[self.status]

    @property
    def condition_item_display(self) -> str | None:
        return rules.condition_label(self.condition_item)

    @property
    def condition_container_display(self) -> str | None:
        return rules.condition_label(self.condition_container)

    @property
    def resolved_sku(self) -> str | None:
        return described.resolved_sku(self, self.product)[0]

    @property
    def resolved_sku_source(self) -> str | None:
        return described.resolved_sku(self, self.product)[1]

    @property
    def grade_tier_code(self) -> str | None:
        return described.grade_tier(self)

    @property
    def grade_tier_label(self) -> str | None:
        return GRADE_TIERS.get(self.grade_tier_code)


class Presence(Base):
    __tablename__ = "presences"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    platform_id: Mapped[int] = mapped_column(ForeignKey(Platform.id))
    external_listing_id: Mapped[str | None]
    external_url: Mapped[str | None]
    image_url: Mapped[str | None]
    status: Mapped[str]
    listing_price: Mapped[Decimal | None]
    listing_currency: Mapped[str]
    listing_price_usd: Mapped[Decimal | None]
    is_selling_enabled: Mapped[bool]
    price_last_updated: Mapped[datetime | None]
    last_checked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    platform: Mapped[Platform] = relationship()


class Product(Base):
    __tablename__ = "products"

    organization_id: Mapped[int] = mapped_column(ForeignKey(Organization.id))
    artist_id: Mapped[int | None] = mapped_column(ForeignKey(Artist.id))
    music_label_id: Mapped[int | None] = mapped_column(ForeignKey(Label.id))
    uid: Mapped[str]
    title: Mapped[str | None]
    type: Mapped[str]
    catalog_number: Mapped[str | None]
    sku: Mapped[str | None]
    upc: Mapped[str | None]
    formats: Mapped[list[str] | None]
    year: Mapped[str | None]
    marketplace_description: Mapped[str | None]
    license_type: Mapped[str | None]
    license_notes: Mapped[str | None]
    tags: Mapped[list[str]]
    media_type: Mapped[str | None]
    is_mature_content: Mapped[bool]
    default_visibility: Mapped[str | None]
    default_shop_product: Mapped[bool]
    background_color: Mapped[str | None]
    enabled_product_types: Mapped[dict[str, Any] | None]
    collections: Mapped[dict[str, Any] | None]
    price_computed_usd: Mapped[Decimal | None]
    price_override_usd: Mapped[Decimal | None]
    external_id: Mapped[str | None]
    external_id_title: Mapped[str | None]
    search: Mapped[str] = mapped_column(TSVECTOR, deferred=True)
    created: Mapped[datetime]
    updated: Mapped[datetime]
    artist: Mapped[Artist | None] = relationship()
    music_label: Mapped[Label | None] = relationship()
    inventory_items: Mapped[list[Item]] = relationship(back_populates="product", order_by=Item.id)
    presences: Mapped[list[Presence]] = relationship(order_by=Presence.id)

    @property
    def type_display(self) -> str:
        return PRODUCT_TYPES[self.type]

    @property
    def resolved_identifier_source(self) -> str | None:
        return next((name for name in rules.IDENTIFIERS if getattr(self, name)), None)

    @property
    def resolved_identifier(self) -> str | None:
        source = self.resolved_identifier_source
        return source and getattr(self, source)

    @property
    def product_image(self) -> str | None:
        return next((presence.image_url for presence in self.presences if presence.image_url), None)

    @property
    def total_inventory_count(self) -> int:
        return len(self.inventory_items)

    @property
    def listed_inventory_count(self) -> int:
        return sum(item.status == rules.LISTED for item in self.inventory_items)

    @property
    def available_inventory_count(self) -> int:
        return sum(item.status in rules.AVAILABLE for item in self.inventory_items)

    @property
    def marketplace_presences(self) -> list[Presence]:
        return [presence for presence in self.presences if presence.status not in rules.ENDED]

    @property
    def has_primary_asset(self) -> bool:
        return False

    @property
    def available_platforms(self) -> list[schemas.Platform]:
        return available[self.type == "physical"]

    @property
    def redbubble_presence(self) -> "Presence | schemas.RedbubblePresence":
        latest = (presence for presence in reversed(self.presences) if presence.platform.slug == "redbubble")
        return next(latest, schemas.NO_REDBUBBLE)

    @property
    def identity_elsewhere(self) -> "Product | None":
        """What `metadata` shows; that name is the library's own."""
        return None if self.external_id is None and self.external_id_title is None else self


available: list[list[schemas.Platform]] = []
"""What products that are not physical and those that are can be listed on; read when a process starts."""


async def read_platforms(session: AsyncSession) -> None:
    rows = await session.scalars(select(Platform).order_by(Platform.id))
    every = [schemas.Platform.model_validate(platform) for platform in rows]
    available[:] = [[platform for platform in every if platform.supports_digital], every]

"""The presence object that the API answers with and that products nest."""

from datetime import date, datetime

from msgspec import UNSET, Struct, UnsetType

from domain.platforms import PLATFORM
from domain.presence.presence import Presence
from projections.documents import RedbubblePresence, encode, money

REDBUBBLE = "plat_redbubble"


class PresencePlatform(Struct, frozen=True):
    uid: str
    name: str
    slug: str


class PresenceDocument(Struct, frozen=True, kw_only=True):
    """Key order is the API document's, what it does not have comes last: the two about the reference rate only where
    one had a part in the price in USD."""

    id: int
    platform: PresencePlatform
    external_listing_id: str | None
    external_url: str | None
    status: str
    listing_price: str | None
    listing_currency: str
    listing_price_usd: str | None
    is_selling_enabled: bool
    price_last_updated: datetime | None
    last_checked_at: datetime | None
    created_at: datetime
    updated_at: datetime
    image_url: str | None
    listing_price_usd_status: str | UnsetType = UNSET
    listing_price_usd_rate_date: date | UnsetType = UNSET


_PLATFORMS = {uid: PresencePlatform(uid, known.name, known.slug) for uid, known in PLATFORM.items()}


def presence_document(presence: Presence) -> str:
    """Return the presence object as JSON text."""
    return encode(
        PresenceDocument(
            id=presence.number,
            platform=_PLATFORMS[presence.platform_uid],
            external_listing_id=presence.external_listing_id,
            external_url=presence.external_url,
            status=presence.status,
            listing_price=money(presence.listing_price),
            listing_currency=presence.listing_currency,
            listing_price_usd=money(presence.listing_price_usd),
            is_selling_enabled=presence.is_selling_enabled,
            price_last_updated=presence.price_last_updated,
            last_checked_at=presence.last_checked_at,
            created_at=presence.created,
            updated_at=presence.updated,
            image_url=presence.image_url,
            listing_price_usd_status=UNSET if presence.usd_rate_date is None else presence.prices.usd_status or UNSET,
            listing_price_usd_rate_date=presence.usd_rate_date or UNSET,
        )
    ).decode()


def redbubble_presence(presence: Presence) -> str | None:
    """Return what the product says of this presence as JSON text, None where it is not Redbubble's."""
    if presence.platform_uid != REDBUBBLE:
        return None
    shown = RedbubblePresence(True, presence.external_url, presence.external_listing_id, presence.status)
    return encode(shown).decode()

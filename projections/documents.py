"""What the documents of all nouns share: finished JSON, made ahead of time and stored, with holes and seams.

What every product of a kind has in common, and the address this deployment is reached at, is left open as control
bytes, which JSON text cannot hold unescaped, and filled in when a document is answered. Seams, control bytes too, part
a product's document into what is its own and what the database computes of its items and presences.
"""

from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain import ids
from domain.platforms import PLATFORMS
from domain.product.events import Credit
from projections.image_document import MEDIA_URL

DOCUMENT_VERSION = 3
"""Part of every ETag: raised when the same state is answered with other bytes."""

PHYSICAL_PLATFORMS, OTHER_PLATFORMS, BASE_URL, SEAM = "\x01", "\x02", "\x03", "\x04"
PHYSICAL_ALONE, OTHER_ALONE = "\x05", "\x06"
"""What follows the image of a product without items and presences, up to and with Redbubble's presence."""

encode = msgspec.json.Encoder(decimal_format="string").encode


class CreditDocument(Struct, frozen=True):
    uid: str
    name: str


class RedbubblePresence(Struct, frozen=True):
    exists: bool = False
    external_url: str | None = None
    external_listing_id: str | None = None
    status: str | None = None


def money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def credit(prefix: str, given: Credit | None) -> CreditDocument | None:
    # By number: a UUID's hash and comparison, and with them a Credit's, are Python code and cost more than the rest.
    return None if given is None else _credit(prefix, given.id.int, given.name)


@lru_cache(maxsize=10_000)
def _credit(prefix: str, number: int, name: str) -> CreditDocument:
    return CreditDocument(ids.uid(prefix, UUID(int=number)), name)


def _alone(platforms: bytes) -> bytes:
    counts = {f"{kind}_inventory_count": 0 for kind in ("total", "listed", "available")}
    shown = {
        **counts,
        "has_primary_asset": False,
        "inventory_items": (),
        "available_platforms": Raw(platforms),
        "marketplace_presences": (),
        "redbubble_presence": RedbubblePresence(),
    }
    return b"," + encode(shown)[1:-1]


_SEAM, _MEDIA_URL = SEAM.encode(), MEDIA_URL.encode()
_ALL_PLATFORMS = encode(PLATFORMS)
_DIGITAL_PLATFORMS = encode([platform for platform in PLATFORMS if platform.supports_digital])
_PHYSICAL_ALONE, _OTHER_ALONE = _alone(_ALL_PLATFORMS), _alone(_DIGITAL_PLATFORMS)


def fill(text: str, base_url: str, media_url: str = "") -> bytes:
    """Close the holes and seams of one document, or of many in a row. The URLs have no slash at their ends; without
    a `media_url` pictures are served where everything is."""
    body = text.encode().replace(_SEAM, b"").replace(_MEDIA_URL, (media_url or base_url).encode())
    body = (
        body.replace(b"\x03", base_url.encode()).replace(b"\x01", _ALL_PLATFORMS).replace(b"\x02", _DIGITAL_PLATFORMS)
    )
    return body.replace(b"\x05", _PHYSICAL_ALONE).replace(b"\x06", _OTHER_ALONE)


def etag(revision: int | str) -> str:
    """Return the tag of an object whose states its revision tells apart."""
    return f'"{DOCUMENT_VERSION}-{revision}"'

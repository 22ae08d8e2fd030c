"""The records of a run: products with their items and presences, the same in every run, and no database in sight."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import product as combinations
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from domain.choices import CONTAINER_CONDITIONS, ITEM_CONDITIONS
from domain.platforms import PLATFORMS

COMMON_WORD = "pressing"
"""In the description of every other product."""
COMMON_TAG = "jazz"
"""In one product of five, mostly as a part of a longer tag."""

MAX_ITEMS, MAX_PRESENCES = 5, 3
_FIRST_DAY = datetime(2019, 1, 1, tzinfo=UTC)
_STEP = timedelta(minutes=5)
_WORDS = 4000
_SYLLABLES = [onset + vowel for onset, vowel in combinations("bdfgklmnrstv", "aeiou")]
_STYLES = ("rock", "jazz", "soul", "funk", "folk", "dub", "techno", "house", "ambient", "punk", "metal", "blues")
_KINDS = ("", "", "", "classic-", "free-", "acid-", "deep-", "post-", "uk-", "latin-")
_FORMATS = (("Vinyl", "LP", "Album"), ("Vinyl", '12"', "45 RPM"), ("Vinyl", '7"', "Single"), ("CD", "Album"))
_ITEM_STATUSES = (
    *("received",) * 5,
    *("ready-to-sell",) * 4,
    *("listed",) * 5,
    *("sold",) * 3,
    *("draft", "ordered", "reserved", "shipped", "returned", "archived"),
)
_PRESENCE_STATUSES = (*("active",) * 6, "draft", "paused", "ended", "removed", "sold", "error")


class Item(NamedTuple):
    """`number` counts from 1 within the product; `values` are the writable fields that are given."""

    id: UUID
    number: int
    created: datetime
    values: dict[str, Any]


class Presence(NamedTuple):
    """`number` is the one integer it has in the whole deployment."""

    id: UUID
    number: int
    created: datetime
    values: dict[str, Any]


class Album(NamedTuple):
    """One product with what hangs on it; `values` are the fields of a new product by name."""

    id: UUID
    created: datetime
    values: dict[str, Any]
    artist_name: str
    music_label_name: str
    items: list[Item]
    presences: list[Presence]


@cache
def vocabulary() -> list[str]:
    """Return made-up words, the most frequent ones first."""
    short = ["".join(pair) for pair in combinations(_SYLLABLES, repeat=2)]
    long = ["".join(three) for three in combinations(_SYLLABLES, repeat=3)]
    random = Random(1)  # noqa: S311 - data, not secrets
    random.shuffle(short)
    random.shuffle(long)
    return short[: _WORDS // 4] + long[: _WORDS * 3 // 4]


@cache
def _spread() -> list[str]:
    """Return the words as often as they are used (Zipf's law), so that 16 random bits pick one."""
    weights = [1 / (place + 20) for place in range(_WORDS)]
    scale = 2**16 / sum(weights)
    found = [
        word for word, weight in zip(vocabulary(), weights, strict=True) for _ in range(max(1, round(weight * scale)))
    ]
    return (found + vocabulary())[: 2**16]


def albums(seller: int, first: int, count: int) -> Iterator[Album]:
    """Give the products numbered `first` and up of one seller (0 is the large one), oldest first."""
    for number in range(first, first + count):
        yield _album(seller, number)


def _album(seller: int, number: int) -> Album:
    random = Random(f"{seller}/{number}")  # noqa: S311 - see above
    bits = random.getrandbits
    words = _spread()
    picked = [words[bits(16)] for _ in range(9)]
    created = _FIRST_DAY + number * _STEP
    tags = dict.fromkeys(_KINDS[bits(8) % 10] + _STYLES[bits(8) % 12] for _ in range(1 + bits(2)))
    year = 1950 + bits(8) % 75
    physical = bits(8) % 20 != 0
    values: dict[str, Any] = {
        "title": " ".join(picked[: 2 + bits(1) + bits(1)]).title(),
        "type": "physical" if physical else "digital",
        "year": str(year),
        "tags": (*tags, f"{year // 10 * 10}s"),
    }
    if bits(3):
        values["catalog_number"] = f"{picked[8][:3].upper()} {bits(14):05d}"
    if bits(1):
        kind = COMMON_WORD if bits(8) < 250 else "copy"
        values["marketplace_description"] = f"{' '.join(picked[4:8]).capitalize()} {kind}, plays well, light marks."
    elif bits(1):
        values["marketplace_description"] = f"From the collection of {picked[4].title()} {picked[5].title()}."
    if bits(1):
        values["upc"] = f"{bits(42):012d}"[:12]
    if not bits(3):
        values["sku"] = f"{picked[0][:4].upper()}-{number}"
    if not bits(2):
        values["external_id"], values["external_id_title"] = str(bits(24)), values["title"]
    if not bits(2):
        values["price_override_usd"] = _price(random)
    if physical:
        values["formats"] = _FORMATS[bits(2)]
    else:
        values.update(license_type="personal", license_notes=f"One listener, {picked[6]}.")
    return Album(
        id=_id(created, random),
        created=created,
        values=values,
        artist_name=f"The {words[bits(16)].title()} {words[bits(12) << 2].title()}",
        music_label_name=f"{vocabulary()[bits(9)].title()} Records",
        items=[_item(random, n, created) for n in range(1, 1 + bits(16) % (MAX_ITEMS + 1))],
        presences=_presences(random, seller, number, created),
    )


def _item(random: Random, number: int, created: datetime) -> Item:
    bits = random.getrandbits
    grades, containers = list(ITEM_CONDITIONS), list(CONTAINER_CONDITIONS)
    price = _price(random)
    values: dict[str, Any] = {
        "status": _ITEM_STATUSES[bits(16) % len(_ITEM_STATUSES)],
        "condition_item": grades[min(bits(3), bits(3))],
        "condition_container": containers[bits(16) % len(containers)],
        "price_total_usd": price,
        "price_expected_usd": price + 5,
    }
    if bits(1):
        values["listing_current_price"] = price + 2
        values["condition_comments"] = f"Light {_spread()[bits(16)]} marks"
    if not bits(2):
        values["manual_sku"] = f"BIN-{bits(12)}-{number}"
    created += timedelta(seconds=number)
    return Item(_id(created, random), number, created, values)


def _presences(random: Random, seller: int, number: int, created: datetime) -> list[Presence]:
    bits = random.getrandbits
    # Deployment-wide and by arithmetic, so that sellers can be stocked side by side.
    before = (seller << 22 | number) * MAX_PRESENCES
    made = []
    for n in range(1, 1 + bits(2)):
        price = _price(random)
        platform, listing = PLATFORMS[(bits(4) + n) % len(PLATFORMS)], str(bits(40))
        values: dict[str, Any] = {
            "platform_uid": platform.uid,
            "external_listing_id": listing,
            "external_url": f"https://{platform.slug}.example/listing/{listing}",
            "image_url": f"https://{platform.slug}.example/image/{listing}.jpg" if not bits(2) else None,
            "status": _PRESENCE_STATUSES[bits(16) % len(_PRESENCE_STATUSES)],
            "listing_price": price,
            "listing_currency": "USD",
            "listing_price_usd": price,
            "is_selling_enabled": bool(bits(1)),
        }
        at = created + timedelta(seconds=10 + n)
        made.append(Presence(_id(at, random), before + n, at, values))
    return made


def _price(random: Random) -> Decimal:
    return Decimal(199 + random.getrandbits(13)) / 100


def _id(created: datetime, random: Random) -> UUID:
    """Return a version 7 UUID of the time given."""
    milliseconds = int(created.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62))

"""Changing a product that has a family beside changing one that has none."""

from collections.abc import Mapping
from itertools import islice

import msgspec

from bench import load, servers
from bench.albums import MAX_ITEMS, MAX_PRESENCES, Album, albums
from bench.pages import LIST
from bench.report import Row, ratio
from bench.sellers import Seller
from domain import ids

PRODUCTS = 50
ROUNDS = 5
SECONDS = 3.0
_TEXTS = 300


def patching(environment: Mapping[str, str], seller: Seller) -> list[Row]:
    """Sixteen connections change the description of one product after the other, every time to another text."""
    families = _changes(seller, MAX_ITEMS, MAX_PRESENCES)
    bare = _changes(seller, 0, 0)
    with servers.api(environment) as api:
        for requests in (families, bare):
            load.run(api.port, *requests, seconds=1.0)
        pairs = [
            (
                load.run(api.port, *families, seconds=SECONDS).per_second,
                load.run(api.port, *bare, seconds=SECONDS).per_second,
            )
            for _ in range(ROUNDS)
        ]
    name = f"PATCH of a product with {MAX_ITEMS} items and {MAX_PRESENCES} presences beside one without any"
    return [ratio(name, "requests/s", pairs, at_least=0.6)]


def _changes(seller: Seller, items: int, presences: int) -> list[bytes]:
    def fits(album: Album) -> bool:
        return len(album.items) == items and len(album.presences) == presences

    chosen = list(islice(filter(fits, albums(seller.number, 0, seller.products)), PRODUCTS))
    # More of them than one measurement sends, so that none finds its own text.
    texts = [msgspec.json.encode({"marketplace_description": f"Played {times} times."}) for times in range(_TEXTS)]
    return [
        load.send("PATCH", f"{LIST}{ids.uid(ids.PRODUCT, album.id)}/", seller.key, text)
        for text in texts
        for album in chosen
    ]

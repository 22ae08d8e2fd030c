"""Products with their families, folded from the log."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from domain.asset import asset as assets
from domain.asset.asset import Asset
from domain.asset.events import AssetCreated
from domain.errors import UnfoldableEvent
from domain.inventory import inventory
from domain.inventory.events import ItemCreated
from domain.inventory.inventory import Item
from domain.presence import presence as presences
from domain.presence.presence import Presence
from domain.product.product import Product, fold
from domain.vocabulary import DECODERS

NOUNS = ("product", "inventory", "presence", "asset")

EventRow = tuple[bytes, str, bytes, int]
"""Stream (its 16 bytes), topic, body, position."""
KinRow = tuple[bytes, bytes, str, bytes, int]
"""The product, and then an event of an item, presence or asset of its."""


class Family(NamedTuple):
    """A product with its items, presences and assets. `moves` counts the events of those, also of the ones that went;
    `items_made` is the number of the newest item.
    """

    product: Product
    items: Sequence[Item] = ()
    presences: Sequence[Presence] = ()
    assets: Sequence[Asset] = ()
    moves: int = 0
    items_made: int = 0


def _decode(stream: bytes, rows: Iterable[EventRow]) -> Iterator[Any]:
    for _, topic, state, position in rows:
        try:
            yield DECODERS[topic](state)
        except (KeyError, msgspec.MsgspecError) as error:
            raise UnfoldableEvent(UUID(bytes=stream), position, topic, str(error)) from error


class Replay:
    """Folds streams of products beside those of their kin, both in the order of the products' ids.

    Raises UnfoldableEvent with the stream and position. `events` counts what was folded.
    """

    def __init__(self, products: Iterable[EventRow], kin: Iterable[KinRow] = ()) -> None:
        self.events = 0
        self._products = groupby(products, itemgetter(0))
        self._kin = groupby(kin, itemgetter(0))

    def __iter__(self) -> Iterator[Family]:
        """Yield the products that are there still."""
        next_of_kin = next(self._kin, None)
        for id, stream in self._products:
            rows = list(stream)
            self.events += len(rows)
            product = fold(_decode(id, rows))
            family = None
            if next_of_kin is not None and next_of_kin[0] == id:
                family = list(next_of_kin[1])
                self.events += len(family)
                next_of_kin = next(self._kin, None)
            if product is not None:
                yield Family(product) if family is None else _family(product, family)


def _family(product: Product, rows: list[KinRow]) -> Family:
    items: list[Item] = []
    found: list[Presence] = []
    files: list[Asset] = []
    items_made = 0
    for stream, of_stream in groupby(rows, itemgetter(1)):
        events = list(_decode(stream, (row[1:] for row in of_stream)))
        if isinstance(events[0], ItemCreated):
            items_made = max(items_made, events[0].number)
            if (item := inventory.fold(events)) is not None:
                items.append(item)
        elif isinstance(events[0], AssetCreated):
            if (asset := assets.fold(events)) is not None:
                files.append(asset)
        elif (presence := presences.fold(events)) is not None:
            found.append(presence)
    return Family(product, items, found, files, len(rows), items_made)

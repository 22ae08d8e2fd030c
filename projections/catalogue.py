"""The catalogue of products with their items, presences and assets: what a save's changes make of its tables."""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from domain.asset.asset import Asset
from domain.event import Change, Projected, Step
from domain.inventory.events import ItemCreated, PhotoAdded
from domain.inventory.inventory import Item
from domain.presence.presence import Presence
from domain.product.product import Product
from projections import asset, inventory, presence, product
from projections.asset import asset_row
from projections.image_document import photo_json
from projections.inventory import item_row
from projections.item_document import item_pieces, whole
from projections.presence import presence_row
from projections.product import product_row

Rows = list[tuple[Any, ...]]

_ARGUMENTS = ", ".join(["%b"] * len(product.COLUMNS))
_ADD_FAMILIES = f"add_families({_ARGUMENTS}, %b::bigint[], %b::integer[])"
_PUT_ITEMS = f"put_items({', '.join(['%b'] * len(inventory.COLUMNS))})"
_PUT_ASSETS = f"put_assets({', '.join(['%b'] * len(asset.COLUMNS))})"
_PUT_PRESENCES = f"put_presences({', '.join(['%b'] * len(presence.COLUMNS))})"


class CatalogueProjection:
    """Keeps the tables of products, items, presences and assets, and `catalogue`, in the append transaction.

    The changes of one call may be those of many writes, of several organizations.
    """

    def project(self, changes: Sequence[Change]) -> Projected:
        save = _Save()
        for change in changes:
            match change.after or change.before:
                case Product() if change.events:
                    save.product(change)
                case Item():
                    save.item(change)
                case Presence() if change.events:
                    save.presence(change)
                case Asset() if change.events:
                    save.asset(change)
        return Projected(save.steps(), save.whole_documents())


class _Growth(NamedTuple):
    products: int = 0
    items: int = 0


class _Save:
    def __init__(self) -> None:
        self._documents: dict[UUID, str] = {}
        self._new: Rows = []
        self._known: Rows = []
        self._items: dict[UUID, tuple[Any, ...]] = {}
        self._presences: dict[UUID, tuple[Any, ...]] = {}
        self._assets: dict[UUID, tuple[Any, ...]] = {}
        self._gone: dict[type, list[UUID]] = {Product: [], Item: [], Presence: [], Asset: []}
        self._moves: Counter[UUID] = Counter()
        self._newest: dict[UUID, int] = {}
        self._growth: dict[UUID, _Growth] = {}

    def product(self, change: Change) -> None:
        state = self._grown(change, products=1)
        if change.after is None:
            self._gone[Product].append(change.id)
            return
        row = product_row(state)
        if change.before is None:
            self._new.append(row)
            self._documents[change.id] = row[-1]
        else:
            # What it shows of its family is known in the database alone.
            self._known.append(row)

    def item(self, change: Change) -> None:
        state = self._grown(change, items=1)
        self._moves[state.product] += len(change.events)
        if change.after is None:
            self._gone[Item].append(change.id)
            return
        pieces = item_pieces(state, change.product)
        self._items[change.id] = item_row(state, change.product, pieces)
        self._documents[change.id] = whole(*pieces, state)
        for event in change.events:
            if isinstance(event, ItemCreated):
                self._newest[state.product] = max(event.number, self._newest.get(state.product, 0))
            elif isinstance(event, PhotoAdded):
                added = [photo for photo in state.photos if photo.id == event.photo.id]
                self._documents.update((photo.id, photo_json(photo)) for photo in added)

    def presence(self, change: Change) -> None:
        state = self._grown(change)
        self._moves[state.product] += len(change.events)
        if change.after is None:
            self._gone[Presence].append(change.id)
            return
        row = self._presences[change.id] = presence_row(state)
        self._documents[change.id] = row[-1]

    def asset(self, change: Change) -> None:
        state = self._grown(change)
        self._moves[state.product] += len(change.events)
        if change.after is None:
            self._gone[Asset].append(change.id)
            return
        row = self._assets[change.id] = asset_row(state)
        self._documents[change.id] = row[-1]

    def _grown(self, change: Change, products: int = 0, items: int = 0) -> Any:
        """Count what came or went; return the state, the last one of what is gone."""
        state = change.after or change.before
        factor = (change.after is not None) - (change.before is not None)
        before = self._growth.get(state.organization, _Growth())
        self._growth[state.organization] = _Growth(before.products + factor * products, before.items + factor * items)
        return state

    def whole_documents(self) -> dict[UUID, str]:
        """Return the documents that are known here: not those of products that come with a family."""
        return {id: document for id, document in self._documents.items() if id not in self._moves}

    def _moved(self, product: UUID) -> tuple[int, int]:
        """Return how many events its family has in this save, and the number of its newest item."""
        return self._moves[product], self._newest.get(product, 0)

    def steps(self) -> list[Step]:
        """Return the steps in the order in which every write takes its locks: products, each kind by id, then what
        belongs to them, then the counters that all writers of an organization want."""
        if not self._growth:
            return []
        gone = self._gone
        alone = [row for row in self._new if row[0] not in self._moves]
        if len(alone) == 1 and not (self._known or gone[Product] or self._moves):
            return [Step(f"add_product({_ARGUMENTS})", alone[0])]
        families = [(*row, *self._moved(row[0])) for row in self._new if row[0] in self._moves]
        moved = sorted(self._moves.keys() - set(gone[Product]) - set(map(itemgetter(0), families)))
        held = sorted({*gone[Product], *map(itemgetter(0), self._known), *moved})
        steps = []
        if len(held) > 1:
            steps.append(Step("hold_products(%b)", (held,)))
        steps += _dropped("drop_products", gone[Product])
        if alone:
            steps.append(Step(f"add_products({_ARGUMENTS})", _columns(alone)))
        if len(self._known) == 1:
            steps.append(Step(f"put_product({_ARGUMENTS})", self._known[0]))
        elif self._known:
            steps.append(Step(f"put_products({_ARGUMENTS})", _columns(self._known)))
        steps += _dropped("drop_items", gone[Item])
        if self._items:
            steps.append(Step(_PUT_ITEMS, _columns(self._items.values())))
        steps += _dropped("drop_presences", gone[Presence])
        if self._presences:
            steps.append(Step(_PUT_PRESENCES, _columns(self._presences.values())))
        steps += _dropped("drop_assets", gone[Asset])
        if self._assets:
            steps.append(Step(_PUT_ASSETS, _columns(self._assets.values())))
        if families:
            steps.append(Step(_ADD_FAMILIES, _columns(families)))
        if moved:
            columns = list(zip(*map(self._moved, moved), strict=True))
            steps.append(Step("refresh_products(%b, %b::bigint[], %b::integer[])", (moved, *map(list, columns))))
        steps.extend(
            Step("advance_catalogue(%b, %b::bigint, %b::bigint)", (organization, *growth))
            for organization, growth in sorted(self._growth.items())
        )
        return steps


def _dropped(function: str, gone: list[UUID]) -> list[Step]:
    return [Step(f"{function}(%b)", (sorted(gone),))] if gone else []


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Return the rows as columns, by id."""
    return [list(column) for column in zip(*sorted(rows, key=itemgetter(0)), strict=True)]

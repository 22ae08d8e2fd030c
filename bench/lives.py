"""A catalogue that has been sold from: products that were revised, items from order to shipment, listings that ended.

The log alone, as years of work leave it: what happened to one thing stands between what happened to others.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

from bench.albums import Album, Item, Presence, albums
from bench.sellers import Seller
from commands.store import Store
from domain.event import Change, DomainEvent, Stamp
from domain.inventory import inventory
from domain.presence import presence as presences
from domain.product import product as products

EVENTS_PER_PRODUCT = 16.5
"""About so many: 3 of the product, 3.3 of each of its 2.5 items, 3.5 of each of its 1.5 presences."""
_SIDE_BY_SIDE = 2_000
"""Products whose lives take turns in the log."""
_STEPS = ("ordered", "received", "ready-to-sell", "listed", "sold", "shipped")
_STEP = timedelta(days=3)

Revise = Callable[[Any, Mapping[str, Any], Stamp], Sequence[DomainEvent]]
Evolve = Callable[[Any, DomainEvent], Any]


def live(database_url: str, seller: Seller, count: int) -> None:
    """Write the lives of so many products of the seller, in two processes."""
    half = count // 2
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for done in [
            pool.submit(_write, database_url, seller, 0, half),
            pool.submit(_write, database_url, seller, half, count - half),
        ]:
            done.result()


def _write(database_url: str, seller: Seller, first: int, count: int) -> None:
    store = Store(database_url, ())
    for start in range(first, first + count, _SIDE_BY_SIDE):
        made = albums(seller.number, start, min(_SIDE_BY_SIDE, first + count - start))
        lives = [life for album in made for life in _lives(album, seller)]
        for turn in zip_longest(*lives):
            store.save([Change(event.originator_id, None, [event], None) for event in turn if event is not None])
    store.close()


def _lives(album: Album, seller: Seller) -> Iterator[list[DomainEvent]]:
    """Yield what happened to the product, and to each thing that belongs to it."""
    yield _of_product(album, seller)
    for item in album.items:
        yield _of_item(album.id, item, seller)
    for presence in album.presences:
        yield _of_presence(album.id, presence, seller)


def _of_product(album: Album, seller: Seller) -> list[DomainEvent]:
    values = dict(album.values)
    later: list[dict[str, Any]] = [
        {name: values.pop(name)} for name in ("marketplace_description", "price_override_usd") if name in values
    ]
    later.append({"default_visibility": "public", "tags": (*values["tags"], "checked")})
    first = products.create(album.id, values, Stamp(album.created, *seller.context))
    return _followed(first, later, seller, products.revise, products.evolve)


def _of_item(product: UUID, item: Item, seller: Seller) -> list[DomainEvent]:
    values = dict(item.values)
    last = values.pop("status")
    statuses = _STEPS[: _STEPS.index(last) + 1] if last in _STEPS else ("ordered", "received", last)
    offer: dict[str, Any] = {
        name: values.pop(name) for name in ("listing_current_price", "price_expected_usd") if name in values
    }
    first = {"status": statuses[0], "price_total_usd": values.pop("price_total_usd")}
    # It is graded as it comes in, and priced as it gets ready.
    told = (values, offer)
    later = [{"status": status} | (told[n] if n < len(told) else {}) for n, status in enumerate(statuses[1:])]
    created = inventory.create(item.id, product, item.number, first, Stamp(item.created, *seller.context))
    return _followed(created, later, seller, inventory.revise, inventory.evolve)


def _of_presence(product: UUID, presence: Presence, seller: Seller) -> list[DomainEvent]:
    values = dict(presence.values)
    status, price = values.pop("status"), values["listing_price"]
    later = [{"status": "active", "external_url": values.pop("external_url")}, {"listing_price": price + 1}]
    if status != "active":
        later.append({"status": status})
    first = presences.create(
        presence.id, product, presence.number, values | {"status": "draft"}, Stamp(presence.created, *seller.context)
    )
    return _followed(first, later, seller, presences.revise, presences.evolve)


def _followed(
    first: DomainEvent, later: Sequence[Mapping[str, Any]], seller: Seller, revise: Revise, evolve: Evolve
) -> list[DomainEvent]:
    events, state, at = [first], evolve(None, first), first.timestamp
    for values in later:
        at += _STEP
        for event in revise(state, values, Stamp(at, *seller.context)):
            events.append(event)
            state = evolve(state, event)
    return events

"""Records that are on a marketplace, one listing each, many to a save."""

from collections.abc import Iterable
from itertools import islice
from uuid import uuid4

from commands.bus import Bus
from commands.children import INVENTORY, PRESENCE, adopt
from commands.presence import LISTING_CLAIM
from commands.save import Claim
from commands.work import Context, change
from domain.inventory import inventory
from domain.presence import presence as presences
from domain.product import product as products

_BATCH = 250


def stock(bus: Bus, context: Context, platform_uid: str, currency: str, listings: Iterable[tuple[str, str]]) -> None:
    """Make a product with an item and a presence for each of `listings`, ids with SKUs."""
    left = iter(listings)
    while batch := list(islice(left, _BATCH)):
        _save(bus, context, platform_uid, currency, batch)


def _save(bus: Bus, context: Context, platform_uid: str, currency: str, batch: list[tuple[str, str]]) -> None:
    work = bus.work(context)
    numbers = work.store.next_presence_numbers(len(batch))
    changes, claims, steps = [], [], []
    for number, (listing, sku) in zip(numbers, batch, strict=True):
        product, item, presence = uuid4(), uuid4(), uuid4()
        titled = {"title": f"Record {sku}", "type": "physical"}
        made = change(product, None, [products.create(product, titled, work.stamp)], products.evolve)
        copy = inventory.create(item, product, 1, {"status": "listed", "manual_sku": sku}, work.stamp)
        shown = {
            "platform_uid": platform_uid,
            "external_listing_id": listing,
            "status": "active",
            "listing_currency": currency,
            "is_selling_enabled": True,
        }
        listed = presences.create(presence, product, number, shown, work.stamp)
        put_up = change(presence, None, [listed], presences.evolve)
        changes += [made, change(item, None, [copy], inventory.evolve, made.after), put_up]
        claims.append(Claim(context.organization, LISTING_CLAIM, put_up.after.listing, presence))
        steps += [adopt(product, item, INVENTORY, 1), adopt(product, presence, PRESENCE)]
    work.save(changes, claims=claims, steps=steps)

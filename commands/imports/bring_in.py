"""What the rows of a file come to: products, and for a seller's file the copies and listings of them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from commands.credits import given, resolve
from commands.imports.arrivals import IMPORT_CLAIM, Arrivals, Brought, ImportRow, Made
from commands.imports.stock import bring_in_copies
from commands.save import Claim, Save
from commands.work import Work, change
from domain.product import product as products
from domain.product.events import Credit
from domain.product.product import Product


def bring_in(
    rows: Sequence[ImportRow],
    work: Work,
    coming: Mapping[UUID, Credit] = MappingProxyType({}),
    *,
    dry_run: bool = False,
) -> Brought:
    """Return what creates all that is new of `rows`. With `dry_run` it is counted and is not to be saved.

    The save raises Taken where a parallel import was faster, Conflict where a product moved on: the next try finds
    that. `coming` are the credits of a save that will be over before. Raises Conflict.
    """
    organization, stamp = work.context.organization, work.stamp
    first = {row.claim: row for row in reversed(rows)}
    copies = [claim for row in rows if row.copies is not None for claim in row.copies.claims]
    held = work.store.holders(organization, IMPORT_CLAIM, [*first, *copies])
    fresh = [
        (at, row) for at, row in enumerate(rows)
        if row.claim not in held and first[row.claim] is row and row.values is not None
    ]  # fmt: skip
    named = [given(row.artist_name, row.music_label_name) for _, row in fresh]
    credits, changes = resolve(work, (name for names in named for name in names.values()), coming)
    made_credits = {change.id: change.after for change in changes}
    arrived = Arrivals()
    arrived.changes = changes
    new: dict[str, Product] = {}
    for (at, row), names in zip(fresh, named, strict=True):
        assert row.values is not None
        id = work.new_id()
        linked = {field: credits[name] for field, name in names.items()}
        event = products.create(id, {**row.values, **linked}, stamp)
        made = change(id, None, [event], products.evolve)
        new[row.claim] = made.after
        changes.append(made)
        arrived.claims.append(Claim(organization, IMPORT_CLAIM, row.claim, id))
        if not (dry_run and row.is_repeat):
            arrived.rows.add(at)
    count = len(arrived.rows)
    if copies:
        bring_in_copies(rows, new, held, work, arrived, dry_run=dry_run)
    counted = Made(len(arrived.rows), count, arrived.items, arrived.presences)
    return Brought(Save(changes, arrived.claims, steps=arrived.steps), counted, made_credits)

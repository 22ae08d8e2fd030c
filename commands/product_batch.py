"""Many products in one write: each row is taken or refused by itself, what is taken is saved at once."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from msgspec import Struct

from commands import children
from commands.credits import given, resolve
from commands.product import CreateProduct, ReviseProduct, linked
from commands.save import Part, Saved
from commands.work import Work
from domain.errors import Conflict, Invalid, NotFound
from domain.event import Change, DomainEvent, Step
from domain.inventory.described import PRODUCT_FIELDS
from domain.product import product as products
from domain.product.product import Product

Row = CreateProduct | ReviseProduct | NotFound | Invalid
"""What to do, or why not, where that is known already."""
Outcome = UUID | NotFound | Invalid
"""The product that was written, or why none was."""


class WriteProducts(Struct, frozen=True):
    """Create and revise products. A product of several rows takes them in their order.

    `answer` is given the outcome of each row before it is saved, and anew if it has to be decided again; an
    Idempotency-Key is bound to the parts it returns.
    """

    # It meets the writers of each of its products.
    RETRIES: ClassVar[int] = 12

    rows: Sequence[Row]
    answer: Callable[[Sequence[Outcome]], Sequence[Part]]

    @property
    def subject(self) -> None:
        return None


def write(command: WriteProducts, work: Work) -> Saved:
    """All that can be taken is saved or nothing is. Raises Conflict where a product has just gone."""
    known = _known(command.rows, work)
    rows = [_settled(row, known) for row in command.rows]
    written = [row for row in rows if isinstance(row, CreateProduct | ReviseProduct)]
    names = (name for row in written for name in given(row.artist_name, row.music_label_name).values())
    credits, changes = resolve(work, names)
    now: dict[UUID, Product | None] = dict(known)
    events: dict[UUID, list[DomainEvent]] = {}
    outcomes: list[Outcome] = []
    for row in rows:
        if isinstance(row, NotFound | Invalid):
            outcomes.append(row)
            continue
        values = linked(row, credits)
        made: Sequence[DomainEvent]
        if isinstance(row, CreateProduct):
            id = row.id or work.new_id()
            made = [products.create(id, values, work.stamp)]
        else:
            id = row.id
            made = products.revise(_product(now[id]), values, work.stamp)
        for event in made:
            now[id] = products.evolve(now.get(id), event)
            events.setdefault(id, []).append(event)
        outcomes.append(id)
    changes += [Change(id, known.get(id), new, now[id]) for id, new in events.items()]
    moved = [id for id in events if id in known and _shows_elsewhere(known[id], _product(now[id]))]
    steps: list[Step] = []
    if moved:
        families = work.store.families(moved)
        if len(families) < len(moved):
            raise Conflict
        items = children.items([id for family in families.values() for id in family.items], work)
        changes += [Change(item.id, item, [], item, now[item.product]) for item in items]
        # All that this write touches is held in one order before any of it is.
        steps.append(children.hold_products(sorted(known.keys() & events.keys())))
        steps.append(children.hold_families([(id, known[id].version, families[id].revision) for id in sorted(moved)]))
    parts = command.answer(outcomes)
    receipt = None if work.receipt is None else work.receipt._replace(parts=parts)
    return work._replace(receipt=receipt).save(changes, steps=steps)


def _known(rows: Sequence[Row], work: Work) -> dict[UUID, Product]:
    """Return the products of the organization that are to be revised, by id."""
    ids = dict.fromkeys(row.id for row in rows if isinstance(row, ReviseProduct))
    folded = {id: products.fold(events) for id, events in work.store.load_all([*ids]).items()}
    organization = work.context.organization
    return {id: product for id, product in folded.items() if product and product.organization == organization}


def _settled(row: Row, known: dict[UUID, Product]) -> Row:
    """Return the row, or why it is refused."""
    if isinstance(row, ReviseProduct):
        if row.id not in known:
            return NotFound()
        if row.errors:
            return Invalid(row.errors)
    return row


def _shows_elsewhere(before: Product, after: Product) -> bool:
    """Say whether what changed is shown by the product's items too."""
    return any(getattr(before, field) != getattr(after, field) for field in PRODUCT_FIELDS)


def _product(product: Product | None) -> Product:
    assert product is not None, "only what exists is revised"
    return product


HANDLERS: dict[Any, Any] = {WriteProducts: write}

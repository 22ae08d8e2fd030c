"""Objects as they were: their documents folded from the log up to a moment of the past, as they were answered then."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from domain import vocabulary
from domain.event import DomainEvent
from domain.inventory.events import ItemCreated
from domain.product.product import Product
from domain.vocabulary import DECODERS
from projections import inventory, presence
from projections.asset import asset_document
from projections.audit import Row
from projections.base import Reader, queries
from projections.documents import OTHER_PLATFORMS, PHYSICAL_PLATFORMS, SEAM, RedbubblePresence, encode, money
from projections.history import NEWEST, births, family_rows, stream_rows
from projections.inventory import item_row
from projections.item_document import item_pieces, whole
from projections.presence import presence_row
from projections.presence_document import presence_document
from projections.product_document import own_image, product_document
from projections.purchase_document import purchase_document
from projections.replay import UnfoldableEvent
from projections.terms import NOUNS

_SQL = queries("audit")
_NO_REDBUBBLE = encode(RedbubblePresence()).decode()


class Moment(NamedTuple):
    """A position of the log, or a time: then everything decided up to it."""

    position: int | None = None
    time: datetime | None = None

    @property
    def until(self) -> int:
        return NEWEST if self.position is None else self.position


class Then(NamedTuple):
    """A product as it was, and what belonged to it: states by noun, oldest first."""

    product: Product
    kin: Mapping[str, Sequence[Any]]

    def of(self, noun: str) -> Sequence[Any]:
        return self.kin.get(noun, ())


class Found(NamedTuple):
    """An object as it was: its document with holes, and its id."""

    id: UUID
    document: str


class Page(NamedTuple):
    """As projections.pages.Page, of products as they were."""

    total: int
    number: int
    results: str
    exists: bool


async def product_at(reader: Reader, organization: UUID, id: UUID, moment: Moment) -> Found | None:
    """Return a product as it was; None where the organization had none of this id then."""
    then = (await _families(reader, organization, [id], moment)).get(id)
    return None if then is None else Found(id, document(then))


async def item_at(reader: Reader, organization: UUID, id: UUID, moment: Moment) -> Found | None:
    """Return an item as it was; None where the organization had none of this id then."""
    first = await reader.row(_SQL["first"], [id])
    if first is None or first[3] not in births(("inventory",)):
        return None
    birth = _decode(Row(*first))
    assert isinstance(birth, ItemCreated)
    product = birth.product
    then = (await _families(reader, organization, [product], moment)).get(product)
    item = next((item for item in then.of("inventory") if item.id == id), None) if then is not None else None
    if then is None or item is None:
        return None
    at = moment.time or (await reader.row(_SQL["clock"], [organization, moment.until]) or (None,))[0]
    return Found(id, whole(*item_pieces(item, then.product), item, at))


async def presence_at(reader: Reader, organization: UUID, product: UUID, number: int, moment: Moment) -> Found | None:
    """Return a product's presence as it was; None where there was no such product or presence then."""
    then = (await _families(reader, organization, [product], moment)).get(product)
    found = next((one for one in then.of("presence") if one.number == number), None) if then is not None else None
    return None if found is None else Found(found.id, presence_document(found))


async def asset_at(reader: Reader, organization: UUID, id: UUID, moment: Moment) -> Found | None:
    """Return a digital asset as it was; None where the organization had none of this id then."""
    state = await _alone(reader, organization, "asset", id, moment)
    return None if state is None else Found(id, asset_document(state))


async def purchase_at(reader: Reader, organization: UUID, id: UUID, moment: Moment) -> Found | None:
    """Return a purchase as it was, who bought left open: that is known as of now alone. None where the organization
    had none of this id then."""
    state = await _alone(reader, organization, "purchase", id, moment)
    return None if state is None else Found(id, purchase_document(state))


async def _alone(reader: Reader, organization: UUID, kind: str, id: UUID, moment: Moment) -> Any:
    """Return the state of what is shown by its own stream alone; None where the organization had none then."""
    state, evolve = None, NOUNS[kind].evolve
    assert evolve is not None, "what is shown as it was has a state"
    for row in await stream_rows(reader, id):
        if vocabulary.noun(row.topic) != kind or row.position > moment.until:
            break
        event = _decode(row)
        if moment.time is not None and event.timestamp > moment.time:
            break
        state = evolve(state, event)
    return state if state is not None and state.organization == organization else None


async def is_there(reader: Reader, id: UUID) -> bool:
    """Say whether a product, what belongs to one, or a purchase is there now."""
    found = await reader.row(_SQL["is_there"], {"id": id})
    return found is not None and bool(found[0])


async def products_at(
    reader: Reader,
    organization: UUID,
    moment: Moment,
    *,
    descends: bool,
    page: int | None,
    size: int,
    with_gone: bool = True,
) -> Page:
    """Return a page of the products that there were, in the order of their creation; None is the last page. Without
    `with_gone` those that were deleted since are left out.
    """
    asked = {
        "organization": organization,
        "births": births(("product",)),
        "deaths": vocabulary.topics("product.deleted"),
        "until": moment.until,
        "time": moment.time,
        "with_gone": with_gone,
    }
    [total] = await reader.row(_SQL["count_products"], asked) or (0,)
    last = max(1, -(-total // size))
    number = last if page is None else page
    rows = (
        await reader.rows(_SQL["products"], asked | {"descends": descends, "size": size, "offset": (number - 1) * size})
        if number <= last
        else []
    )
    ids = [row[0] for row in rows]
    families = await _families(reader, organization, ids, moment)
    return Page(total, number, ",".join(document(families[id]) for id in ids if id in families), number <= last)


async def _families(reader: Reader, organization: UUID, products: Sequence[UUID], moment: Moment) -> dict[UUID, Then]:
    """Return those of the products that there were, with their families. Raises UnfoldableEvent."""
    events: dict[UUID, list[Row]] = {}
    for product, row in await family_rows(reader, organization, products, until=moment.until):
        events.setdefault(product, []).append(row)
    found = {}
    for id, rows in events.items():
        then = _folded(organization, rows, moment)
        if then is not None:
            found[id] = then
    return found


def _folded(organization: UUID, rows: Iterable[Row], moment: Moment) -> Then | None:
    states: dict[str, dict[UUID, Any]] = {}
    for row in rows:
        event = _decode(row)
        # Up to the first event that was decided later: a state that there was.
        if moment.time is not None and event.timestamp > moment.time:
            break
        kind = vocabulary.noun(row.topic)
        evolve = NOUNS[kind].evolve
        assert evolve is not None, "what belongs to a product has a state"
        of_kind = states.setdefault(kind, {})
        of_kind[row.originator] = evolve(of_kind.get(row.originator), event)
    there = {
        kind: [state for state in of_kind.values() if state is not None and state.organization == organization]
        for kind, of_kind in states.items()
    }
    if not (products := there.pop("product", [])):
        return None
    for found in there.values():
        found.sort(key=lambda state: getattr(state, "number", state.id))
    return Then(products[0], there)


def _decode(row: Row) -> DomainEvent:
    try:
        return DECODERS[row.topic](row.state)
    except (KeyError, msgspec.MsgspecError) as error:
        where = f"Event {row.position} of stream {row.originator} ({row.topic})"
        raise UnfoldableEvent(f"{where} cannot be folded: {error}") from error


def document(then: Then) -> str:
    """Return the product object with its holes. What the database says of a family is said here as it says it."""
    pieces = product_document(then.product).split(SEAM)
    if any(then.kin.values()):
        pieces[1], pieces[3] = _family(then)
    return SEAM.join(pieces)


def _family(then: Then) -> tuple[str, str]:
    """Return the computed price and what a product's document nests, as family_of does in the database."""
    product = then.product
    items = [
        dict(zip(inventory.COLUMNS, item_row(item, product, item_pieces(item, product)), strict=True))
        for item in then.of("inventory")
    ]
    found = [dict(zip(presence.COLUMNS, presence_row(one), strict=True)) for one in then.of("presence")]
    offers = [row["offer"] for row in items if row["is_listed"] or row["is_available"]]
    prices = [row["price"] for row in found if row["is_active"]]
    price = min(filter(_known, offers), default=None)
    if price is None:
        price = min(filter(_known, prices), default=None)
    images = [own_image(product), *(row["photo"] for row in items), *(row["image"] for row in found)]
    redbubbles = [row["redbubble"] for row in found if row["redbubble"] is not None]
    nested = (
        next(filter(_known, images), "null")
        + f',"total_inventory_count":{len(items)}'
        + f',"listed_inventory_count":{sum(row["is_listed"] for row in items)}'
        + f',"available_inventory_count":{sum(row["is_available"] for row in items)}'
        + f',"has_primary_asset":{"true" if any(asset.is_primary for asset in then.of("asset")) else "false"}'
        + ',"inventory_items":['
        + ",".join(f"{row['summary']}}}" for row in items)
        + '],"available_platforms":'
        + (PHYSICAL_PLATFORMS if product.type == "physical" else OTHER_PLATFORMS)
        + ',"marketplace_presences":['
        + ",".join(row["document"] for row in found if row["is_nested"])
        + '],"redbubble_presence":'
        + (redbubbles[-1] if redbubbles else _NO_REDBUBBLE)
    )
    return encode(money(price)).decode(), nested


def _known(value: Any) -> bool:
    return value is not None

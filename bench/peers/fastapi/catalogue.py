"""The list with its filters and orders, and one product."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from bench.peers.fastapi.models import Item, Presence, Product, Tag

_PRICE = func.coalesce(Product.price_override_usd, Product.price_computed_usd)
_TITLE = func.lower(Product.title)
_COUNTS = (
    select(Item.product_id, func.count().label("item_count")).group_by(Item.product_id).subquery("inventory_counts")
)
_COUNT = func.coalesce(_COUNTS.c.item_count, 0)
_ORDERS: dict[str, ColumnElement] = {
    "title": _TITLE.asc().nulls_last(),
    "-title": _TITLE.desc().nulls_last(),
    "created": Product.created.asc(),
    "-created": Product.created.desc(),
    "updated": Product.updated.asc(),
    "-updated": Product.updated.desc(),
    "price_high_low": _PRICE.desc().nulls_last(),
    "price_low_high": _PRICE.asc().nulls_last(),
    "most_inventory": _COUNT.desc(),
    "least_inventory": _COUNT.asc(),
}
_DEFAULT_ORDER = "-created"
_WITH_EVERYTHING: tuple[ExecutableOption, ...] = (
    joinedload(Product.artist),
    joinedload(Product.music_label),
    selectinload(Product.inventory_items),
    selectinload(Product.presences).joinedload(Presence.platform),
)


async def terms(
    session: AsyncSession, organization_id: int, search: str | None, tags: str | None, status: str | None
) -> list[ColumnElement[bool]]:
    """Return what the rows of a list have to fulfil."""
    found: list[ColumnElement[bool]] = [Product.organization_id == organization_id]
    if words := (search or "").lower().split():
        query = func.to_tsquery("simple", " & ".join(f"{word}:*" for word in words))
        found.append(Product.search.bool_op("@@")(query))
    if parts := _listed(tags):
        # The organization's tags that hold one of the parts: few, and their products are in an index.
        named = or_(*(Tag.name.icontains(part, autoescape=True) for part in parts))
        known = (await session.scalars(select(Tag.name).where(Tag.organization_id == organization_id, named))).all()
        found.append(Product.tags.overlap(known))
    if statuses := _listed(status):
        found.append(Product.id.in_(select(Item.product_id).where(Item.status.in_(statuses))))
    return found


async def total(session: AsyncSession, where: Sequence[ColumnElement[bool]]) -> int:
    return await session.scalar(select(func.count()).select_from(Product).where(*where)) or 0


async def page(
    session: AsyncSession, where: Sequence[ColumnElement[bool]], ordering: str | None, number: int, size: int
) -> Sequence[Product]:
    order = _ORDERS.get(ordering or "", _ORDERS[_DEFAULT_ORDER])

    def cut(statement: Select) -> Select:
        return statement.where(*where).order_by(order, Product.id).limit(size).offset((number - 1) * size)

    if ordering not in {"most_inventory", "least_inventory"}:
        return (await session.scalars(cut(select(Product)).options(*_WITH_EVERYTHING))).all()
    # The counts beside the keys alone, and the rows of the one page afterwards.
    counted = select(Product.id).outerjoin(_COUNTS, _COUNTS.c.product_id == Product.id)
    keys = (await session.scalars(cut(counted))).all()
    rows = await session.scalars(select(Product).where(Product.id.in_(keys)).options(*_WITH_EVERYTHING))
    products = {product.id: product for product in rows}
    return [products[key] for key in keys]


async def detail(session: AsyncSession, organization_id: int, uid: str) -> Product | None:
    chosen = select(Product).where(Product.organization_id == organization_id, Product.uid == uid)
    return await session.scalar(chosen.options(*_WITH_EVERYTHING))


def _listed(given: str | None) -> list[str]:
    return [part for part in (given or "").split(",") if part]

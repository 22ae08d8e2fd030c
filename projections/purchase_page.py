"""One page of purchases: filters and orders over the organization's rows."""

from uuid import UUID

from msgspec import Struct

from projections.base import Reader, queries
from projections.keyset import Place, Walked, walked
from projections.pages import TIME, Asked, Order, Page, count, forwards, page_of

ORDERS: dict[str, Order] = {"created": forwards("created", TIME), "-created": forwards("created DESC", TIME)}
DEFAULT_ORDER = "-created"
_DOCUMENT = f"({queries('purchase')['document'].decode()} WHERE l.id = p.id)"


class PurchaseQuery(Struct, frozen=True, kw_only=True):
    """What a list asks for. None and () ask nothing; `buyer` is an address as it is compared; `page` is None for the
    last. A walk goes by places, `after` one of them or from the start, and has no pages."""

    product: UUID | None = None
    buyer: str | None = None
    statuses: tuple[str, ...] = ()
    ordering: tuple[str, ...] = (DEFAULT_ORDER,)
    page: int | None = 1
    is_walk: bool = False
    after: Place | None = None
    page_size: int = 15


async def _counted(reader: Reader, organization: UUID, asked: PurchaseQuery) -> tuple[Asked, int, float]:
    """Return the rows asked for, how many they are, and page_of's `sort_below`."""
    rows = Asked("purchase_list", organization, [], [], [ORDERS[name] for name in asked.ordering])
    if asked.product is not None:
        rows.narrow("product = %b", asked.product)
    if asked.buyer is not None:
        rows.narrow(
            "buyer IN (SELECT id FROM buyer WHERE email_key = %s AND organization = %b)", asked.buyer, organization
        )
    if asked.statuses:
        rows.narrow("status = ANY(%b::text[])", list(asked.statuses))
    total = await count(reader, rows)
    # One product's or one buyer's have an index, and are few.
    is_found = asked.product is not None or asked.buyer is not None
    return rows, total, 10 * asked.page_size if is_found else 0


async def page(reader: Reader, organization: UUID, asked: PurchaseQuery) -> Page:
    """Return one page and the exact count of all that match."""
    rows, total, sort_below = await _counted(reader, organization, asked)
    return await page_of(
        reader, rows, _DOCUMENT, total=total, page=asked.page, size=asked.page_size, sort_below=sort_below
    )


async def walk(reader: Reader, organization: UUID, asked: PurchaseQuery) -> Walked:
    """Return the purchases that follow the place asked for, with the count as in `page`."""
    rows, total, sort_below = await _counted(reader, organization, asked)
    return await walked(
        reader, rows, _DOCUMENT, total=total, after=asked.after, size=asked.page_size, sort_below=sort_below
    )

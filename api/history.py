"""…/history/: what became of an object, who changed what of it and when."""

from typing import Any
from uuid import UUID

from litestar import get

from api import assets, inventory, presences, products, purchases
from api.answers import Answer
from api.auth import admit
from api.conditional import tagged
from api.errors import InvalidPage
from api.objects import page_of, path_id
from api.openapi import history as declared
from api.pages import page_number, page_size
from api.requests import ApiRequest, parse_query
from api.services import services
from domain import ids
from domain.errors import Invalid, NotFound
from domain.fields import not_a_choice
from projections.history import history, presence_id

PAGE_SIZE = 15
INCLUDABLE = frozenset({"children"})


async def answer(
    request: ApiRequest, kind: str, id: UUID, path: str, includable: frozenset[str] = frozenset()
) -> Answer:
    """Answer with a page of an object's history. Raises NotFound; that of what is gone is for administrators."""
    query = parse_query(request.scope["query_string"])
    included = query.listed("include")
    if wrong := [not_a_choice(value) for value in included if value not in includable]:
        raise Invalid({"include": wrong})
    within, caller, size = services(request), request.auth, page_size(query, PAGE_SIZE)
    found = await history(
        within.reader, caller.organization, kind, id, page_number(query), size, with_children="children" in included
    )
    if found is None or (found.is_gone and not caller.is_admin):
        raise NotFound
    if not found.exists:
        raise InvalidPage
    sizes = {"count": found.total, "number": found.number, "size": size}
    return tagged(request.scope, page_of(request, path, query, **sizes, results=found.results))


@get(f"{products.ONE}/history", before_request=admit, scope="read", operation=declared.PRODUCT_HISTORY)
async def product_history(request: ApiRequest) -> Answer:
    id = path_id(request, ids.PRODUCT)
    path = f"{products.PATH}/{ids.uid(ids.PRODUCT, id)}/history"
    return await answer(request, "product", id, path, INCLUDABLE)


@get(f"{inventory.ONE}/history", before_request=admit, scope="read", operation=declared.ITEM_HISTORY)
async def item_history(request: ApiRequest) -> Answer:
    id = path_id(request, ids.INVENTORY)
    return await answer(request, "inventory", id, f"{inventory.PATH}/{ids.uid(ids.INVENTORY, id)}/history")


@get(f"{presences.ONE}/history", before_request=admit, scope="read", operation=declared.PRESENCE_HISTORY)
async def presence_history(request: ApiRequest) -> Answer:
    product, number = path_id(request, ids.PRODUCT), presences.path_number(request)
    id = await presence_id(services(request).reader, request.auth.organization, product, number)
    if id is None:
        raise NotFound
    path = presences.PATH.replace("{uid:str}", ids.uid(ids.PRODUCT, product))
    return await answer(request, "presence", id, f"{path}/{number}/history")


@get(f"{assets.ONE}/history", before_request=admit, scope="read", operation=declared.ASSET_HISTORY)
async def asset_history(request: ApiRequest) -> Answer:
    id = path_id(request, ids.ASSET)
    return await answer(request, "asset", id, f"{assets.ASSETS}/{ids.uid(ids.ASSET, id)}/history")


@get(f"{purchases.ONE}/history", before_request=admit, scope="read", operation=declared.PURCHASE_HISTORY)
async def purchase_history(request: ApiRequest) -> Answer:
    id = path_id(request, ids.PURCHASE)
    return await answer(request, "purchase", id, f"{purchases.PATH}/{ids.uid(ids.PURCHASE, id)}/history")


HANDLERS: list[Any] = [product_history, item_history, presence_history, asset_history, purchase_history]

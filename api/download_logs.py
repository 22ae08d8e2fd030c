"""/api/v1/digital/purchases/{uid}/download-logs/: who downloaded what of a purchase, for its seller."""

from typing import Any

from litestar import get

from api.answers import Answer, encode
from api.auth import admit
from api.conditional import tagged
from api.errors import InvalidPage
from api.objects import page_of, path_id
from api.openapi import downloads as declared
from api.pages import page_number, page_size
from api.requests import ApiRequest, parse_query
from api.services import services
from domain import ids
from domain.errors import NotFound
from projections.download import count, log
from projections.purchase import detail

PATH = "/api/v1/digital/purchases/{uid:str}/download-logs"
PAGE_SIZE = 15


@get(PATH, before_request=admit, scope="read", operation=declared.LOGS)
async def list_downloads(request: ApiRequest) -> Answer:
    within, purchase = services(request), path_id(request, ids.PURCHASE)
    if await detail(within.reader, request.auth.organization, purchase) is None:
        raise NotFound
    query = parse_query(request.scope["query_string"])
    size, total = page_size(query, PAGE_SIZE), await count(within.reader, purchase)
    last = max(1, -(-total // size))
    number = page_number(query) or last
    if number > last:
        raise InvalidPage
    found = await log(within.reader, purchase, offset=(number - 1) * size, limit=size)
    results = encode(found)[1:-1].decode()
    path = PATH.replace("{uid:str}", request.scope["path_params"]["uid"])
    return tagged(request.scope, page_of(request, path, query, count=total, number=number, size=size, results=results))


HANDLERS: list[Any] = [list_downloads]

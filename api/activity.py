"""/api/v1/marketplace-connections/{uid}/activity/: what was done with a connection, and what came of it."""

from typing import Any, get_args

from litestar import get

from api import connections
from api.answers import Answer
from api.auth import admit
from api.conditional import tagged
from api.errors import InvalidPage
from api.filters import Filters
from api.moments import NOT_A_TIME, parse_time
from api.objects import page_of, path_id
from api.openapi import activity as declared
from api.pages import page_number, page_size
from api.requests import ApiRequest, Query, parse_query
from api.services import services
from domain import ids
from domain.connection.activity import Action, Outcome
from domain.errors import Invalid, NotFound
from domain.number_fields import NOT_A_NUMBER
from projections.activity import ActivityQuery, page
from projections.connection import detail

PAGE_SIZE = 50
_NO_PRODUCT = ids.parse(ids.PRODUCT, ids.PRODUCT + "0" * 26)
_NO_PRESENCE = 0
_MOST_DIGITS = 18


@get(f"{connections.ONE}/activity", before_request=admit, scope="read", operation=declared.LIST)
async def list_activity(request: ApiRequest) -> Answer:
    query, id = parse_query(request.scope["query_string"]), path_id(request, ids.CONNECTION)
    asked = activity_query(query)
    reader, organization = services(request).reader, request.auth.organization
    if await detail(reader, organization, id) is None:
        raise NotFound
    found = await page(reader, id, asked)
    if found is None:
        raise InvalidPage
    path = f"{connections.PATH}/{ids.uid(ids.CONNECTION, id)}/activity"
    sizes = {"count": found.total, "number": found.number, "size": asked.page_size}
    return tagged(request.scope, page_of(request, path, query, **sizes, results=found.results))


def activity_query(query: Query) -> ActivityQuery:
    """Raises Invalid with every filter that is wrong, InvalidPage. What is no product's uid was never worked on."""
    given, errors = Filters(query), {}
    product = given.text("product")
    found: dict[str, Any] = {
        "actions": given.choices("action", dict.fromkeys(get_args(Action), "")),
        "outcomes": given.choices("outcome", dict.fromkeys(get_args(Outcome), "")),
        "product": None if product is None else ids.parse(ids.PRODUCT, product) or _NO_PRODUCT,
    }
    if (text := query.last("presence")) is not None:
        digits = text.strip()
        if not (digits.isascii() and digits.isdigit()):
            errors["presence"] = [NOT_A_NUMBER]
        else:
            found["presence"] = int(digits) if len(digits) <= _MOST_DIGITS else _NO_PRESENCE
    for name in ("since", "until"):
        if (text := query.last(name)) is not None:
            found[name] = parse_time(text.strip())
            if found[name] is None:
                errors[name] = [NOT_A_TIME]
    try:
        given.check()
    except Invalid as invalid:
        errors |= invalid.errors
    if errors:
        raise Invalid(errors)
    return ActivityQuery(**found, page=page_number(query), page_size=page_size(query, PAGE_SIZE))


HANDLERS: list[Any] = [list_activity]

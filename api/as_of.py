"""?as_of: an object, or the list of products, as it was at a time or at a position of the log."""

from datetime import UTC, datetime
from hashlib import blake2b

from api.answers import Answer
from api.conditional import unless_known
from api.errors import InvalidPage
from api.moments import parse_moment
from api.objects import page_of
from api.pages import page_number, page_size
from api.product_filters import PAGE_SIZE
from api.requests import ApiRequest, Query, parse_query
from api.services import services
from domain.errors import Invalid, NotFound
from projections.as_of import Found, Moment, is_there, products_at
from projections.audit import newest
from projections.product_page import DEFAULT_ORDER, ORDERS

AS_OF = "as_of"
ORDERS_THEN = ("created", "-created")
OTHERS = (
    "search",
    "has_inventory",
    "has_available_inventory",
    "status",
    "type",
    "tags",
    "uploadable_to_redbubble",
    "cursor",
)
"""What the list cannot be asked for together with ?as_of."""
_NOT_THEN = "Not supported together with as_of."


async def moment_of(request: ApiRequest) -> Moment | None:
    """Return the moment that is asked for; None for now. Raises Invalid for junk and for what is yet to come."""
    if not (raw := request.scope["query_string"]) or (text := parse_query(raw).last(AS_OF)) is None:
        return None
    position, _ = await newest(services(request).reader, request.auth.organization)
    return parse_moment(AS_OF, text.strip(), position, datetime.now(UTC))


async def then(request: ApiRequest, found: Found | None) -> Answer:
    """Answer with an object as it was. Raises NotFound; only an administrator is shown what was deleted since."""
    within = services(request)
    if found is None or not (request.auth.is_admin or await is_there(within.reader, found.id)):
        raise NotFound
    return _tagged(request, within.fill(request, found.document))


async def products_then(request: ApiRequest, path: str, moment: Moment) -> Answer:
    """Answer with a page of products as they were; those deleted since are an administrator's to see. Raises Invalid
    for filters and orders that are of now alone, InvalidPage."""
    query = parse_query(request.scope["query_string"])
    descends, size = _order(query), page_size(query, PAGE_SIZE)
    caller = request.auth
    total, number, results, exists = await products_at(
        services(request).reader,
        caller.organization,
        moment,
        descends=descends,
        page=page_number(query),
        size=size,
        with_gone=caller.is_admin,
    )
    if not exists and number > 1:
        raise InvalidPage
    return _tagged(request, page_of(request, path, query, count=total, number=number, size=size, results=results))


def _order(query: Query) -> bool:
    """Say whether the newest come first. Raises Invalid."""
    given = {name for name, value, _ in query.parts if value or name == "cursor"}
    errors = {name: [_NOT_THEN] for name in OTHERS if name in given}
    asked = [name for name in query.listed("ordering") if name in ORDERS]
    if any(name not in ORDERS_THEN for name in asked):
        errors["ordering"] = [_NOT_THEN]
    if errors:
        raise Invalid(errors)
    return (asked or [DEFAULT_ORDER])[0] == "-created"


def _tagged(request: ApiRequest, body: bytes) -> Answer:
    """Its tag is none of those that the object has now: no write goes through on it."""
    return unless_known(request.scope, body, f'"as-of-{blake2b(body, digest_size=12).hexdigest()}"')

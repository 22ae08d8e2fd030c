"""The query of the product list, checked all at once."""

from collections.abc import Mapping

from api.pages import page_number, page_size
from api.requests import Query
from domain.choices import INVENTORY_STATUSES, PRODUCT_TYPES
from domain.errors import Invalid
from domain.fields import FieldError, Text, not_a_choice
from domain.text import clean
from projections.product_page import DEFAULT_ORDER, ORDERS, ProductQuery

PAGE_SIZE = 15
SEARCH = Text(max_length=200, trimmed=False)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_CHOICES: Mapping[str, Mapping[str, str]] = {"type": PRODUCT_TYPES, "status": INVENTORY_STATUSES}
_FLAGS = ("has_inventory", "has_available_inventory", "uploadable_to_redbubble")


def product_query(query: Query) -> ProductQuery:
    """Raises Invalid with every filter that is wrong, InvalidPage."""
    if not query.parts:
        return _PLAIN
    errors: dict[str, object] = {}
    search = None
    if (text := query.last("search")) is not None:
        try:
            search = SEARCH.parse(text)
        except FieldError as error:
            errors["search"] = error.messages
    flags: dict[str, bool | None] = {}
    for name in _FLAGS:
        given = query.last(name)
        flags[name] = BOOLEANS.get(given.lower()) if given is not None else None
        if given is not None and flags[name] is None:
            errors[name] = ["Must be a valid boolean."]
    chosen = {name: query.listed(name) for name in _CHOICES}
    for name, values in chosen.items():
        if wrong := [not_a_choice(value) for value in values if value not in _CHOICES[name]]:
            errors[name] = wrong
    try:
        tags = tuple(clean(tag) for tag in query.listed("tags"))
    except ValueError as error:
        errors["tags"] = [str(error)]
    if errors:
        raise Invalid(errors)
    return ProductQuery(
        search=search,
        types=tuple(dict.fromkeys(chosen["type"])),
        statuses=tuple(dict.fromkeys(chosen["status"])),
        tags=tuple(dict.fromkeys(tags)),
        ordering=tuple(dict.fromkeys(name for name in query.listed("ordering") if name in ORDERS)) or (DEFAULT_ORDER,),
        page=page_number(query),
        page_size=page_size(query, PAGE_SIZE),
        **flags,
    )


_PLAIN = ProductQuery(page_size=PAGE_SIZE)

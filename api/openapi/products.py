"""What /api/v1/products/ promises."""

from collections.abc import Iterable

from api.openapi.examples import PRODUCT, PRODUCT_CREATE, PRODUCT_REVISE, REVISED, page_of
from api.openapi.operation import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    PAGE,
    PAGE_SIZE,
    PREFER,
    UID,
    Answered,
    Body,
    Operation,
    Parameter,
    Schema,
)
from domain.choices import INVENTORY_STATUSES, PRODUCT_TYPES
from projections.product_page import ORDERS

_TAG = "Products"
_NOT_MODIFIED = Answered(description="What If-None-Match names is still what there is.", headers=("ETag",))


def _one_or_more(choices: list[str]) -> Schema:
    any_of = "|".join(choices)
    return {"type": "string", "pattern": f"^(({any_of})(,({any_of}))*)?$"}


def _values(choices: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in choices)


def _flag(name: str, description: str) -> Parameter:
    schema = {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["0", "1", ""]}]}
    return Parameter(name=name, description=f"{description} true, false, 1 or 0.", schema=schema, example=True)


_FILTERS = (
    Parameter(
        name="search",
        description="Words that all have to be found in title, artist, label, catalogue number, tags, descriptions,"
        ' licence or file names: by prefix, whatever case and accents. "Quoted phrases" hold together.',
        schema={"type": "string", "maxLength": 200, "pattern": r"^[^\u0000]*$"},
        example="beatles",
    ),
    _flag("has_inventory", "Whether there are any inventory items."),
    _flag("has_available_inventory", "Whether there are items for sale."),
    Parameter(
        name="status",
        description="Products with an inventory item in any of these statuses, separated by commas or repeated:"
        f" {_values(INVENTORY_STATUSES)}.",
        schema=_one_or_more(list(INVENTORY_STATUSES)),
        example="listed,ready-to-sell",
    ),
    Parameter(
        name="type",
        description=f"Product type: {_values(PRODUCT_TYPES)}.",
        schema=_one_or_more(list(PRODUCT_TYPES)),
        example="physical",
    ),
    Parameter(
        name="tags",
        description="Any of these, separated by commas, is part of any tag, whatever its case.",
        schema={"type": "string", "pattern": r"^[^\u0000]*$"},
        example="rock,uk",
    ),
    _flag("uploadable_to_redbubble", "Whether it is fit for Redbubble and not there yet."),
    Parameter(
        name="ordering",
        description=f"One or more of {_values(ORDERS)}, separated by commas.",
        example="-created",
    ),
    PAGE,
    PAGE_SIZE,
    IF_NONE_MATCH,
)

LIST = Operation(
    id="listProducts",
    summary="List products",
    tag=_TAG,
    parameters=_FILTERS,
    answers={
        200: Answered(
            description="A page of products.",
            schema="ProductPage",
            example=page_of(PRODUCT, "/api/v1/products/"),
            headers=("ETag",),
        ),
        304: _NOT_MODIFIED,
    },
    problems=(404,),
)
CREATE = Operation(
    id="createProduct",
    summary="Create a product",
    tag=_TAG,
    description="Only `title` is required.",
    parameters=(IDEMPOTENCY_KEY, PREFER),
    body=Body(schema="ProductCreate", example=PRODUCT_CREATE),
    answers={
        201: Answered(
            description="The new product.",
            schema="Product",
            example=PRODUCT,
            headers=("ETag", "Location", "Idempotent-Replayed"),
        )
    },
    problems=(409, 422),
)
GET = Operation(
    id="getProduct",
    summary="Get a product",
    tag=_TAG,
    parameters=(UID, IF_NONE_MATCH),
    answers={
        200: Answered(description="The product.", schema="Product", example=PRODUCT, headers=("ETag",)),
        304: _NOT_MODIFIED,
    },
    problems=(404,),
)
REVISE = Operation(
    id="reviseProduct",
    summary="Change a product",
    tag=_TAG,
    description="Send the fields to change. What is read-only may be sent back and is ignored.",
    parameters=(UID, IF_MATCH, PREFER),
    body=Body(schema="ProductRevise", example=PRODUCT_REVISE, required=False),
    answers={
        200: Answered(description="The product as it is now.", schema="Product", example=REVISED, headers=("ETag",))
    },
    problems=(404, 412),
)
DELETE = Operation(
    id="deleteProduct",
    summary="Delete a product",
    tag=_TAG,
    description="Its inventory items and presences go with it.",
    parameters=(UID, IF_MATCH),
    answers={204: Answered(description="It is gone.")},
    problems=(404, 412),
)

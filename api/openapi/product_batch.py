"""What /api/v1/products/batch/ promises."""

from typing import Any

from api.openapi.examples import NEW_PRODUCT, PRODUCT_CREATE, REVISED_PRODUCT
from api.openapi.operation import IDEMPOTENCY_KEY, PREFER, Answered, Body, Operation, Schema
from api.openapi.shapes import array_of, object_of, ref

MAX_ROWS = 500
_UNKNOWN_UID = "prod_06h0gqr8ulokt6nds0s2ndgtpg"
_RESULTS: list[dict[str, Any]] = [
    {"index": 0, "status": 201, "uid": NEW_PRODUCT["uid"], "product": NEW_PRODUCT, "errors": None},
    {"index": 1, "status": 200, "uid": REVISED_PRODUCT["uid"], "product": REVISED_PRODUCT, "errors": None},
    {"index": 2, "status": 404, "uid": _UNKNOWN_UID, "product": None, "errors": {"detail": "Not found."}},
    {"index": 3, "status": 400, "uid": None, "product": None, "errors": {"title": ["This field is required."]}},
]
_ROWS = [
    PRODUCT_CREATE,
    {"uid": REVISED_PRODUCT["uid"], "title": REVISED_PRODUCT["title"]},
    {"uid": _UNKNOWN_UID, "title": "Help!"},
    {"type": "physical"},
]

WRITE = Operation(
    id="writeProducts",
    summary="Create and change many products",
    tag="Products",
    description="A row with a `uid` changes that product, any other creates one. Each row is taken or refused by"
    " itself, and told so under its index; what is taken is saved at once, in one transaction. Several rows about one"
    " product apply in their order, and each shows it as the whole batch leaves it. `product` is also null where"
    " somebody else has just deleted what was written. With an Idempotency-Key the whole answer is kept.",
    parameters=(IDEMPOTENCY_KEY, PREFER),
    body=Body(schema="ProductBatch", example={"products": _ROWS}),
    answers={
        200: Answered(
            description="What became of each row, in their order.",
            schema="ProductBatchResult",
            example={"created": 1, "updated": 1, "refused": 2, "results": _RESULTS},
            headers=("Idempotent-Replayed",),
        )
    },
    problems=(409, 422),
)


def schemas() -> dict[str, Schema]:
    """Return the components by name."""
    # A row that is wrong is answered for itself, so anything is a row.
    change = {"allOf": [ref("ProductRevise"), {"properties": {"uid": {"type": "string"}}, "required": ["uid"]}]}
    rows: Schema = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_ROWS,
        "items": {"anyOf": [ref("ProductCreate"), change, {}]},
        "description": "Products to create; with `uid`, products to change.",
    }
    count: Schema = {"type": "integer", "minimum": 0}
    return {
        "ProductBatch": {"type": "object", "properties": {"products": rows}, "required": ["products"]},
        "ProductBatchResult": object_of(
            {"created": count, "updated": count, "refused": count, "results": array_of("ProductBatchRow")}
        ),
        "ProductBatchRow": object_of(
            {
                "index": {"type": "integer", "minimum": 0, "description": "The row's place in the request, from 0."},
                "status": {"type": "integer", "enum": [200, 201, 400, 404]},
                "uid": {"type": ["string", "null"]},
                "product": {"anyOf": [ref("Product"), {"type": "null"}]},
                "errors": {"anyOf": [ref("Problems"), {"type": "null"}]},
            }
        ),
    }

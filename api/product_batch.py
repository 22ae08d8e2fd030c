"""/api/v1/products/batch/: many products created and changed in one request, each row with its own outcome."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from litestar import post
from uuid_utils.compat import uuid7

from api.answers import Answer, encode
from api.auth import admit
from api.idempotency import receipt_for, replay
from api.openapi import product_batch as declared
from api.products import PATH
from api.requests import ApiRequest, is_strict, json_body
from api.services import services
from commands.product import CreateProduct, ReviseProduct
from commands.product_batch import Outcome, Row, WriteProducts
from commands.save import Part, Receipt, Replayed
from domain import ids
from domain.errors import Invalid, NotFound
from domain.fields import NOT_NULL, REQUIRED, json_type
from domain.form import UNKNOWN
from domain.product.form import CREATE, REVISE
from projections.product import documents

MAX_ROWS = declared.MAX_ROWS
_GONE = "null"


@post(f"{PATH}/batch", before_request=admit, scope="write", status_code=200, operation=declared.WRITE)
async def write_products(request: ApiRequest) -> Answer:
    within, strict = services(request), is_strict(request)
    body = await json_body(request, within.settings.batch_limit_bytes)
    given = _products(body, strict)
    rows = [_row(row, strict) for row in given]
    answer: list[Part] = []

    def told(outcomes: Sequence[Outcome]) -> Sequence[Part]:
        answer[:] = _answer(given, rows, outcomes)
        return answer

    receipt = receipt_for(request, body, {}, status=200)
    try:
        await within.execute(request, WriteProducts(rows, told), receipt=receipt)
    except Replayed as replayed:
        return replay(request, replayed.receipt)
    text = await (_as_read(request, answer) if receipt is None else _as_bound(request, receipt))
    return Answer(within.fill(request, text))


def _products(body: Mapping[str, Any], strict: bool) -> list[Any]:
    """Return the rows. Raises Invalid where they are none, or too many."""
    errors: dict[str, Any] = {name: [UNKNOWN] for name in body if strict and name != "products"}
    given = body.get("products")
    if "products" not in body:
        errors["products"] = [REQUIRED]
    elif given is None:
        errors["products"] = [NOT_NULL]
    elif not isinstance(given, list):
        errors["products"] = [f'Expected a list of items but got type "{json_type(given)}".']
    elif not given:
        errors["products"] = ["This list may not be empty."]
    elif len(given) > MAX_ROWS:
        errors["products"] = [f"Ensure this field has no more than {MAX_ROWS} elements."]
    if errors or not isinstance(given, list):
        raise Invalid(errors)
    return given


def _row(given: Any, strict: bool) -> Row:
    """Return what the row says: a change where it names a product, else a new one."""
    if not isinstance(given, dict):
        return Invalid({"non_field_errors": [f"Invalid data. Expected a dictionary, but got {json_type(given)}."]})
    uid = given.get("uid")
    if uid is None:
        values, errors = CREATE.parse(given, strict)
        if errors:
            return Invalid(errors)
        artist, label = values.pop("artist_name", None), values.pop("music_label_name", None)
        return CreateProduct(id=uuid7(), values=values, artist_name=artist, music_label_name=label)
    id = ids.parse(ids.PRODUCT, uid) if isinstance(uid, str) else None
    if id is None:
        return NotFound()
    values, errors = REVISE.parse(given, strict)
    names = {name: values.pop(name) for name in ("artist_name", "music_label_name") if name in values}
    return ReviseProduct(id=id, values=values, errors=errors, **names)


def _answer(given: Sequence[Any], rows: Sequence[Row], outcomes: Sequence[Outcome]) -> list[Part]:
    """Return the answer's JSON in parts, with a product's document after each but the last."""
    written = [isinstance(outcome, UUID) for outcome in outcomes]
    created = sum(isinstance(row, CreateProduct) for row in rows)
    text = f'{{"created":{created},"updated":{sum(written) - created},"refused":{written.count(False)},"results":['
    parts = []
    for index, (said, row, outcome) in enumerate(zip(given, rows, outcomes, strict=True)):
        text += f'{"," if index else ""}{{"index":{index},"status":'
        match outcome:
            case UUID():
                status = 201 if isinstance(row, CreateProduct) else 200
                text += f'{status},"uid":"{ids.uid(ids.PRODUCT, outcome)}","product":'
                parts.append(Part(text, outcome))
                text = ',"errors":null}'
            case Invalid(errors=errors):
                text += _refused(400, said, errors)
            case NotFound():
                text += _refused(404, said, {"detail": str(outcome)})
    return [*parts, Part(text + "]}")]


def _refused(status: int, said: Any, errors: Mapping[str, Any]) -> str:
    uid = said.get("uid") if isinstance(said, dict) else None
    known = isinstance(uid, str) and ids.parse(ids.PRODUCT, uid) is not None
    told = encode({"uid": uid if known else None, "product": None, "errors": errors}).decode()
    return f"{status},{told[1:]}"


async def _as_bound(request: ApiRequest, receipt: Receipt) -> str:
    """Return what the key was bound to: every repeat gets the same."""
    within = services(request)
    bound = await within.in_turn(lambda: within.bus.store.receipt(*receipt[:3]))
    assert bound is not None, "it was bound by the write"
    return bound.body or ""


async def _as_read(request: ApiRequest, answer: Sequence[Part]) -> str:
    wanted = [part.product for part in answer if part.product is not None]
    found = await documents(services(request).reader, wanted) if wanted else {}
    # What another writer has deleted meanwhile was written all the same.
    return "".join(part.text + (found.get(part.product, _GONE) if part.product else "") for part in answer)


HANDLERS: list[Any] = [write_products]

"""What …/history/ promises, and the forms of events."""

from typing import Any

from msgspec.structs import replace

from api.openapi.examples import ASSET, ID, ITEM, PRESENCE, PRODUCT, PURCHASE
from api.openapi.noun import BASE_URL
from api.openapi.operation import (
    IF_NONE_MATCH,
    NOT_MODIFIED,
    PAGE,
    PAGE_SIZE,
    UID,
    Answered,
    Operation,
    Parameter,
    Schema,
)
from api.openapi.shapes import URL, array_of, object_of, page_of, ref
from domain import ids

_TAG = "Audit"
HEAD: dict[str, Any] = {
    "position": 4711,
    "event": "product.revised",
    "event_display": "Product revised",
    "version": 1,
    "object": {"type": "product", "uid": PRODUCT["uid"]},
    "object_version": 2,
    "time": "2025-01-15T10:31:07.250000Z",
    "actor": {"uid": ids.uid(ids.API_KEY, ID), "name": "Warehouse scanner"},
    "request_id": "3f1c9a6be2d24f6ea7d0b1f2c3d4e5f6",
}
_ENTRY = HEAD | {
    "changes": {
        "title": {"from": "Abbey Road", "to": "Abbey Road (Remastered)"},
        "tags": {"from": ["classic-rock", "uk-pressing"], "to": ["classic-rock", "remastered"]},
    }
}
_DESCRIPTION = (
    "Newest first, each event with the fields that it changed, from and to, as the API names and spells them. An object"
    " that was deleted keeps its history, for a key with the scope `admin`."
)


def _history(one: str, name: str, path: str, *parameters: Parameter, description: str = "") -> Operation:
    links = {"next": f"{BASE_URL}{path}?page=2", "previous": None}
    found = Answered(
        description="A page of its history.",
        schema="HistoryEntryPage",
        example={"count": 31, **links, "results": [_ENTRY]},
        headers=("ETag",),
    )
    return Operation(
        id=f"get{name}History",
        summary=f"Get the history of {one}",
        tag=_TAG,
        description=_DESCRIPTION + description,
        parameters=(*parameters, PAGE, PAGE_SIZE, IF_NONE_MATCH),
        answers={200: found, 304: NOT_MODIFIED},
        problems=(404,),
    )


_INCLUDE = Parameter(
    name="include",
    description="`children`: what happened to its inventory items and presences, too.",
    schema={"type": "string", "enum": ["children", ""]},
    example="children",
)
_NUMBER = Parameter(
    name="id",
    where="path",
    required=True,
    description="The presence's id.",
    schema={"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    example=PRESENCE["id"],
)
PRODUCT_HISTORY = _history("a product", "Product", f"/api/v1/products/{PRODUCT['uid']}/history/", UID, _INCLUDE)
ITEM_HISTORY = _history(
    "an inventory item",
    "InventoryItem",
    f"/api/v1/inventory/{ITEM['uid']}/history/",
    replace(UID, example=ITEM["uid"]),
)
PRESENCE_HISTORY = _history(
    "a marketplace presence",
    "Presence",
    f"/api/v1/products/{PRODUCT['uid']}/marketplace-presences/{PRESENCE['id']}/history/",
    UID,
    _NUMBER,
)
ASSET_HISTORY = _history(
    "a digital asset",
    "DigitalAsset",
    f"/api/v1/digital/assets/{ASSET['uid']}/history/",
    replace(UID, example=ASSET["uid"]),
)
PURCHASE_HISTORY = _history(
    "a purchase",
    "Purchase",
    f"/api/v1/digital/purchases/{PURCHASE['uid']}/history/",
    replace(UID, example=PURCHASE["uid"]),
    description=" What is inside an object is named with a dot, such as `email.status`. Who bought is in no history.",
)

_HEAD: dict[str, Schema] = {
    "position": {
        "type": "integer",
        "minimum": 1,
        "description": "Its place in the log: what was saved later has a greater one. `as_of` takes it.",
    },
    "event": {"type": "string", "description": "What happened, by its name in the log."},
    "event_display": {"type": "string", "description": "The same in words."},
    "version": {"type": "integer", "minimum": 1, "description": "The version of the form it is stored in."},
    "object": ref("EventObject"),
    "object_version": {"type": "integer", "minimum": 1, "description": "Which event of the object it is, from 1."},
    "time": {"type": "string", "format": "date-time", "description": "When it was decided, UTC."},
    "actor": ref("Actor"),
    "request_id": {"type": "string", "description": "The X-Request-Id of the request that led to it."},
}


def schemas() -> dict[str, Schema]:
    """Return the components by name."""
    change = object_of({"from": {}, "to": {}})
    return {
        "EventObject": object_of(
            {"type": {"type": "string", "description": "The kind of object."}, "uid": {"type": "string"}}
        ),
        "Actor": {
            **object_of({"uid": {"type": ["string", "null"]}, "name": {"type": ["string", "null"]}}),
            "description": "The API key that asked for it; without a uid the deployment itself.",
        },
        "HistoryEntry": object_of(
            _HEAD | {"changes": {"type": "object", "additionalProperties": change}},
        ),
        "HistoryEntryPage": page_of("HistoryEntry"),
        "AuditEvent": object_of(_HEAD | {"data": {"type": "object", "description": "What the event tells."}}),
        "AuditEventPage": object_of(
            {
                "next": {**URL, "description": "Where the next events are."},
                "previous": {"type": "null"},
                "results": array_of("AuditEvent"),
            }
        ),
    }

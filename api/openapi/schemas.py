"""The components of the OpenAPI document: answers from the documents' own types, bodies from the forms."""

from typing import Any

import msgspec

from api.imports import MAP_FIELDS
from api.openapi.operation import Schema
from domain.choices import CHOICES, PRODUCT_TYPES
from domain.fields import NO_NUL
from domain.imports.form import MAX_COLUMN_CHARACTERS
from domain.organization.form import CREATE_KEY
from domain.platforms import Platform
from domain.product.form import CREATE, REVISE
from projections.documents import ProductDocument
from projections.imports import ImportDocument
from projections.organizations import KeyDocument

_REF = "#/components/schemas/{name}"


def ref(name: str) -> Schema:
    return {"$ref": _REF.format(name=name)}


_MONEY: Schema = {"type": ["string", "null"], "pattern": r"^[0-9]+\.[0-9]{2}$"}
_URL: Schema = {"type": ["string", "null"], "format": "uri"}
_ANY_JSON: Schema = {"propertyNames": {"pattern": NO_NUL}, "additionalProperties": ref("JsonValue")}
_TIMES = frozenset({"created", "updated", "started", "finished", "last_used_at"})
READ_ONLY_MEANINGS = {
    "uid": "Unique identifier.",
    "type_display": "The type in words.",
    "artist": "Written as `artist_name`.",
    "music_label": "Written as `music_label_name`.",
    "price_computed_usd": "Lowest price among items for sale, else among active presences.",
    "resolved_identifier": "The first of sku, upc, catalog_number and external_id.",
    "resolved_identifier_source": "Which of them it is.",
    "product_image": "Primary image.",
    "total_inventory_count": "All inventory items.",
    "listed_inventory_count": "Items listed.",
    "available_inventory_count": "Items received or ready to sell.",
    "has_primary_asset": "Whether there is a primary digital asset.",
    "inventory_items": "Summaries of the inventory items.",
    "available_platforms": "Where this product can be listed.",
    "marketplace_presences": "Where it is represented now.",
    "redbubble_presence": "Its latest presence on Redbubble.",
    "metadata": "Written as `external_id` and `external_id_title`.",
    "created": "When it was created, UTC.",
    "updated": "When it last changed, UTC.",
}


def components() -> dict[str, Schema]:
    """Return every schema by name."""
    _, found = msgspec.json.schema_components(
        [ProductDocument, ImportDocument, KeyDocument, Platform], ref_template=_REF
    )
    schemas = {_NAMES.get(name, name): _renamed(schema) for name, schema in found.items()}
    for schema in schemas.values():
        for name in _TIMES & schema.get("properties", {}).keys():
            schema["properties"][name]["format"] = "date-time"
    product = schemas["Product"]["properties"]
    for name, field in CREATE.fields.items():
        if name in product and field.description:
            product[name]["description"] = field.description
    for name, description in READ_ONLY_MEANINGS.items():
        product[name]["description"] = description
    product["type"]["enum"] = list(PRODUCT_TYPES)
    for name in ("price_computed_usd", "price_override_usd"):
        product[name].update(_MONEY)
    product["product_image"].update(_URL)
    product["available_platforms"].update({"type": "array", "items": ref("Platform")})
    for name in ("inventory_items", "marketplace_presences"):
        product[name].update({"type": "array", "items": {"type": "object"}})
    schemas["Import"]["properties"]["rejects_url"] = _URL
    key = schemas["ApiKey"]
    schemas["NewApiKey"] = {
        **key,
        "description": "A key with its secret, which is shown this once: null in the answer to a repeated request.",
    }
    schemas["ApiKey"] = {
        **key,
        "properties": {name: schema for name, schema in key["properties"].items() if name != "key"},
        "required": [name for name in key["required"] if name != "key"],
    }
    for name in ("Product", "Import", "ApiKey"):
        schemas[f"{name}Page"] = _page(name)
    schemas["PlatformList"] = {"type": "array", "items": ref("Platform")}
    schemas["Choice"] = _object({"value": {"type": "string"}, "label": {"type": "string"}})
    schemas["Choices"] = _object({name: {"type": "array", "items": ref("Choice")} for name in CHOICES})
    schemas["ProductCreate"] = _with_json(CREATE.schema())
    schemas["ProductRevise"] = _with_json(REVISE.schema())
    schemas["JsonValue"] = {
        "description": "Any JSON without null characters in its texts.",
        "anyOf": [
            {"type": ["null", "boolean", "number"]},
            {"type": "string", "pattern": NO_NUL},
            {"type": "array", "items": ref("JsonValue")},
            {"type": "object", **_ANY_JSON},
        ],
    }
    schemas["ApiKeyCreate"] = CREATE_KEY.schema()
    schemas["ImportCreate"] = _import_form()
    schemas["Problem"] = _object({"detail": {"type": "string"}})
    schemas["Messages"] = {
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": ref("Messages")},
        ],
        "description": "What is wrong with a field, or with a list's items by index.",
    }
    schemas["Problems"] = {
        "anyOf": [ref("Problem"), {"type": "object", "additionalProperties": ref("Messages")}],
        "description": "What is wrong by field; `non_field_errors` is about no one field, `detail` about none.",
    }
    schemas["Health"] = _object({"status": {"type": "string"}})
    schemas["Readiness"] = _object(
        {"status": {"type": "string"}, "checks": {"type": "object", "additionalProperties": {"type": "string"}}}
    )
    return schemas


_NAMES = {
    "ProductDocument": "Product",
    "ImportDocument": "Import",
    "KeyDocument": "ApiKey",
    "CreditDocument": "Credit",
    "PlatformDocument": "Platform",
}


def _renamed(schema: Any) -> Any:
    """Return the schema under its public names; every field of an answer is always there."""
    if isinstance(schema, list):
        return [_renamed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _renamed(value) for key, value in schema.items() if key not in {"title", "description", "default"}}
    if "$ref" in made:
        name = made["$ref"].rpartition("/")[2]
        made["$ref"] = _REF.format(name=_NAMES.get(name, name))
    kinds = made.get("anyOf", [])
    if len(kinds) == 2 and kinds[1] == {"type": "null"} and isinstance(kinds[0].get("type"), str):
        made = {**kinds[0], "type": [kinds[0]["type"], "null"]}
    if isinstance(made.get("properties"), dict):
        made["properties"] = {name: _renamed(value) for name, value in schema["properties"].items()}
        made["required"] = list(made["properties"])
    return made


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _page(name: str) -> Schema:
    return _object(
        {
            "count": {"type": "integer", "minimum": 0, "description": "How many there are on all pages."},
            "next": {**_URL, "description": "Where the next page is."},
            "previous": {**_URL, "description": "Where the page before is."},
            "results": {"type": "array", "items": ref(name)},
        }
    )


def _with_json(form: Schema) -> Schema:
    """Say of the fields that are whole JSON objects what may be in them."""
    for schema in form["properties"].values():
        if "object" in schema.get("type", ()):
            schema.update(_ANY_JSON)
    return form


def _import_form() -> Schema:
    column = {"type": "string", "maxLength": MAX_COLUMN_CHARACTERS, "pattern": NO_NUL}
    columns = dict.fromkeys(sorted(MAP_FIELDS), column)
    return {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary", "minLength": 1, "description": "A CSV file of products."},
            "type": {"type": "string", "enum": [*PRODUCT_TYPES, ""], "default": "physical"},
            "dry_run": {
                "anyOf": [{"type": "boolean"}, {"enum": ["0", "1", ""]}],
                "default": False,
                "description": "Check every row, change nothing.",
            },
            "map": {
                "description": "Field to column, as JSON, for files of no known form.",
                "anyOf": [{"type": "object", "properties": columns, "additionalProperties": False}, {"const": ""}],
                "examples": [{"title": "Album"}],
            },
        },
        "required": ["file"],
        "propertyNames": {"minLength": 1},
    }

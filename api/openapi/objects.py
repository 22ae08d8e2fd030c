"""Schemas of what is answered, from the types that the answers are made of."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api.openapi.operation import Schema
from api.openapi.shapes import MONEY, REF, URL, array_of, page_of
from domain.choices import PRODUCT_TYPES
from domain.form import Form
from domain.platforms import Platform
from domain.product import form as product
from projections.documents import ProductDocument
from projections.imports import ImportDocument
from projections.organizations import KeyDocument

_TIMES = frozenset({"created", "updated", "started", "finished", "last_used_at"})
_NAMES = {
    "ProductDocument": "Product",
    "ImportDocument": "Import",
    "KeyDocument": "ApiKey",
    "CreditDocument": "Credit",
    "PlatformDocument": "Platform",
}
_PRODUCT = {
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


def objects() -> dict[str, Schema]:
    """Return the schemas by name, with those of the lists of them."""
    types = [ProductDocument, ImportDocument, KeyDocument, Platform]
    _, found = msgspec.json.schema_components(types, ref_template=REF)
    schemas = {_NAMES.get(name, name): _public(schema) for name, schema in found.items()}
    for schema in schemas.values():
        for name in _TIMES & schema.get("properties", {}).keys():
            schema["properties"][name]["format"] = "date-time"
    shown = schemas["Product"]["properties"]
    _describe(shown, product.CREATE, _PRODUCT)
    shown["type"]["enum"] = list(PRODUCT_TYPES)
    for name in ("price_computed_usd", "price_override_usd"):
        shown[name].update(MONEY)
    shown["product_image"].update(URL)
    shown["available_platforms"].update(array_of("Platform"))
    for name in ("inventory_items", "marketplace_presences"):
        shown[name].update({"type": "array", "items": {"type": "object"}})
    schemas["Import"]["properties"]["rejects_url"] = URL
    schemas.update(_keys(schemas["ApiKey"]))
    schemas.update({f"{name}Page": page_of(name) for name in ("Product", "Import", "ApiKey")})
    schemas["PlatformList"] = array_of("Platform")
    return schemas


def _describe(properties: dict[str, Schema], form: Form, meanings: Mapping[str, str]) -> None:
    """Say what each property is: what is written as its form says, the rest as `meanings` does."""
    for name, field in form.fields.items():
        if name in properties and field.description:
            properties[name]["description"] = field.description
    for name, description in meanings.items():
        properties[name]["description"] = description


def _keys(key: Schema) -> dict[str, Schema]:
    return {
        "NewApiKey": {
            **key,
            "description": "A key with its secret, which is shown this once: null in the answer to a repeated request.",
        },
        "ApiKey": {
            **key,
            "properties": {name: schema for name, schema in key["properties"].items() if name != "key"},
            "required": [name for name in key["required"] if name != "key"],
        },
    }


def _public(schema: Any) -> Any:
    """Return the schema under its public names; every field of an answer is always there."""
    if isinstance(schema, list):
        return [_public(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _public(value) for key, value in schema.items() if key not in {"title", "description", "default"}}
    if "$ref" in made:
        name = made["$ref"].rpartition("/")[2]
        made["$ref"] = REF.format(name=_NAMES.get(name, name))
    kinds = made.get("anyOf", [])
    if len(kinds) == 2 and kinds[1] == {"type": "null"} and isinstance(kinds[0].get("type"), str):
        made = {**kinds[0], "type": [kinds[0]["type"], "null"]}
    if isinstance(made.get("properties"), dict):
        made["properties"] = {name: _public(value) for name, value in schema["properties"].items()}
        made["required"] = list(made["properties"])
    return made

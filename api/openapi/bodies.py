"""Schemas of request bodies, from the forms that read them."""

from api.imports import MAP_FIELDS
from api.openapi.operation import Schema
from api.openapi.shapes import array_of, ref
from domain.asset import form as asset
from domain.choices import PRODUCT_TYPES
from domain.connection import form as connection
from domain.currencies import CURRENCIES
from domain.fields import NO_NUL
from domain.form import Form
from domain.imports.form import MAX_COLUMN_CHARACTERS
from domain.inventory import form as item
from domain.organization.form import CREATE_KEY
from domain.presence import form as presence
from domain.product import form as product
from domain.purchase import form as purchase
from domain.rates import USD

FORMS: dict[str, Form] = {
    "ProductCreate": product.CREATE,
    "ProductRevise": product.REVISE,
    "InventoryItemCreate": item.CREATE,
    "InventoryItemRevise": item.REVISE,
    "PresenceCreate": presence.CREATE,
    "PresenceRevise": presence.REVISE,
    "DigitalAssetRevise": asset.REVISE,
    "DigitalAssetUploadCreate": asset.UPLOAD,
    "PurchaseCreate": purchase.FULFILL,
    "MarketplaceConnectionCreate": connection.CREATE,
    "MarketplaceConnectionRevise": connection.REVISE,
    "ApiKeyCreate": CREATE_KEY,
}
_ANY_JSON: Schema = {"propertyNames": {"pattern": NO_NUL}, "additionalProperties": ref("JsonValue")}


def bodies() -> dict[str, Schema]:
    """Return the schemas by name."""
    return {
        **{name: _with_json(form.schema()) for name, form in FORMS.items()},
        "ImageUpload": _upload("image"),
        "PhotoUpload": _upload("file"),
        "DigitalAssetCreate": _asset_form(),
        "ImportCreate": _import_form(),
        "JsonValue": {
            "description": "Any JSON without null characters in its texts.",
            "anyOf": [
                {"type": ["null", "boolean", "number"]},
                {"type": "string", "pattern": NO_NUL},
                array_of("JsonValue"),
                {"type": "object", **_ANY_JSON},
            ],
        },
    }


def _with_json(form: Schema) -> Schema:
    """Say of the fields that are whole JSON objects what may be in them."""
    for schema in form["properties"].values():
        if "object" in schema.get("type", ()) and "properties" not in schema:
            schema.update(_ANY_JSON)
    return form


def _upload(field: str) -> Schema:
    picture = {"type": "string", "format": "binary", "minLength": 1, "description": "A JPEG, PNG, WebP or GIF."}
    return {
        "type": "object",
        "properties": {field: picture},
        "required": [field],
        "propertyNames": {"minLength": 1},
    }


def _asset_form() -> Schema:
    file = {"type": "string", "format": "binary", "minLength": 1, "description": "What buyers download."}
    fields = {name: field.schema() for name, field in asset.FIELDS.items()}
    for name in ("display_name", "description"):
        # A form has no null: what is blank is none.
        fields[name]["type"] = "string"
    flag = fields["is_primary"]
    fields["is_primary"] = {
        "anyOf": [{"type": "boolean"}, {"enum": ["0", "1", ""]}],
        **{name: flag[name] for name in ("description", "examples")},
    }
    return {
        "type": "object",
        "properties": {"file": file, **fields},
        "required": ["file"],
        "propertyNames": {"minLength": 1},
    }


def _import_form() -> Schema:
    column = {"type": "string", "maxLength": MAX_COLUMN_CHARACTERS, "pattern": NO_NUL}
    columns = dict.fromkeys(sorted(MAP_FIELDS), column)
    return {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary", "minLength": 1, "description": "A CSV file of products."},
            "type": {"type": "string", "enum": [*PRODUCT_TYPES, ""], "default": "physical"},
            "currency": {
                "type": "string",
                "enum": [*CURRENCIES, ""],
                "default": USD,
                "description": "What a Discogs seller's file has its prices in: the seller's own currency.",
            },
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

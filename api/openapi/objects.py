"""Schemas of what is answered, from the types that the answers are made of."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from api.openapi import (
    activity,
    asset_uploads,
    assets,
    connections,
    downloads,
    inventory,
    presences,
    products,
    purchases,
)
from api.openapi.operation import Schema
from api.openapi.shapes import MONEY, REF, URL, array_of, page_of
from domain.asset import form as asset_form
from domain.connection import form as connection_form
from domain.connection.activity import Action, Outcome
from domain.fields import Choice
from domain.form import Form
from domain.inventory import form as item_form
from domain.platforms import Platform
from domain.presence import form as presence_form
from domain.product import form as product_form
from domain.purchase import form as purchase_form
from domain.special_fields import Money
from projections.activity import ActivityDocument
from projections.asset import AssetDocument
from projections.asset_upload import UploadDocument
from projections.connection import ConnectionDocument
from projections.download import DownloadDocument, OfferDocument
from projections.image_document import PhotoDocument
from projections.imports import ImportDocument
from projections.item_document import ItemDocument
from projections.organizations import KeyDocument
from projections.presence_document import PresenceDocument
from projections.product_document import ProductDocument
from projections.purchase_document import PurchaseDocument

_TYPES = {
    ProductDocument: "Product",
    ItemDocument: "InventoryItem",
    PresenceDocument: "Presence",
    PhotoDocument: "Photo",
    AssetDocument: "DigitalAsset",
    UploadDocument: "DigitalAssetUpload",
    ImportDocument: "Import",
    PurchaseDocument: "Purchase",
    DownloadDocument: "Download",
    OfferDocument: "DownloadOffer",
    ConnectionDocument: "MarketplaceConnection",
    ActivityDocument: "MarketplaceActivity",
    KeyDocument: "ApiKey",
    Platform: "Platform",
}
_NAMES = {
    **{kind.__name__: name for kind, name in _TYPES.items()},
    "ItemSummary": "InventoryItemSummary",
    "CreditDocument": "Credit",
    "PlatformDocument": "Platform",
    "PartDocument": "DigitalAssetUploadPart",
}
_TIMES = frozenset(
    {"created", "updated", "created_at", "updated_at", "price_last_updated", "last_checked_at"}
    | {"started", "finished", "last_used_at", "expires_at", "sent_at", "expires", "started_at", "tested_at", "at"}
)
_FEW = 50
_PAGED = (
    *("Product", "InventoryItem", "Purchase", "Download"),
    *("MarketplaceConnection", "MarketplaceActivity", "Import", "ApiKey"),
)
_WHOLE = ("Presence", "Photo", "DigitalAsset", "Platform")


def objects() -> dict[str, Schema]:
    """Return the schemas by name, with those of the lists of them."""
    _, found = msgspec.json.schema_components(_TYPES, ref_template=REF)
    schemas = {_NAMES.get(name, name): _public(schema) for name, schema in found.items()}
    shown = {name: schema["properties"] for name, schema in schemas.items()}
    for properties in shown.values():
        for name in _TIMES & properties.keys():
            properties[name]["format"] = "date-time"
    _describe(shown["Product"], product_form.CREATE, products.MEANINGS)
    _describe(shown["InventoryItem"], item_form.CREATE, inventory.MEANINGS)
    _describe(shown["InventoryItemSummary"], item_form.CREATE, inventory.MEANINGS)
    _describe(shown["Presence"], presence_form.CREATE, presences.MEANINGS)
    _describe(shown["DigitalAsset"], asset_form.REVISE, assets.MEANINGS)
    _describe(shown["DigitalAssetUpload"], asset_form.UPLOAD, asset_uploads.MEANINGS)
    shown["DigitalAssetUploadPart"]["url"].update({**URL, "description": "PUT the part's bytes there; null once done."})
    _describe(shown["MarketplaceConnection"], connection_form.CREATE, connections.MEANINGS)
    _describe(shown["MarketplaceActivity"], Form(fields={}), activity.MEANINGS)
    shown["MarketplaceActivity"]["changes"].update(activity.CHANGES)
    shown["MarketplaceActivity"]["action"]["enum"] = [*get_args(Action)]
    shown["MarketplaceActivity"]["outcome"]["enum"] = [*get_args(Outcome)]
    _describe(shown["Purchase"], purchase_form.FULFILL, purchases.MEANINGS)
    shown["Purchase"]["buyer_email"]["type"] = shown["Purchase"]["buyer_name"]["type"] = ["string", "null"]
    shown["Purchase"]["download_url"].update({"type": "string", "format": "uri"})
    for name, meanings in downloads.MEANINGS.items():
        _describe(shown[name], Form(fields={}), meanings)
    shown["OfferedProduct"]["image"].update(URL)
    shown["OfferedFile"]["url"]["format"] = "uri"
    shown["Product"]["price_computed_usd"].update(MONEY)
    shown["Product"]["product_image"].update(URL)
    shown["Import"]["rejects_url"].update(URL)
    shown["Photo"]["url"].update({"type": "string", "format": "uri", "description": "Works without credentials."})
    schemas.update(_keys(schemas["ApiKey"]))
    schemas.update({f"{name}Page": page_of(name) for name in _PAGED})
    schemas.update({f"{name}List": array_of(name) for name in _WHOLE})
    return schemas


def _describe(properties: dict[str, Schema], form: Form, meanings: Mapping[str, str]) -> None:
    """Say what each property is: what is written as its form says, the rest as `meanings` does."""
    for name, shown in properties.items():
        field = form.fields.get(name)
        if field is None:
            shown["description"] = meanings[name]
            continue
        shown["description"] = field.description
        match field:
            case Money():
                shown.update(MONEY)
            case Choice(choices=choices) if len(choices) < _FEW:
                shown["enum"] = [*choices, *([""] if field.blank else []), *([None] if field.nullable else [])]


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
    """Return the schema under its public names; every field of an answer is there, but for those that may be unset."""
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
        told = schema.get("required", ())
        made["required"] = [name for name, of in schema["properties"].items() if name in told or "default" in of]
    return made

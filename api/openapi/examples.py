"""One album with one copy and one listing, made by the code that answers, so that the examples are what is answered."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import fields

from api.openapi.noun import BASE_URL
from domain import ids
from domain.asset import asset as assets
from domain.asset import form as asset_form
from domain.event import Stamp
from domain.form import Form
from domain.image import Photo
from domain.inventory import form as item_form
from domain.inventory import inventory
from domain.presence import form as presence_form
from domain.presence import presence as presences
from domain.product import form as product_form
from domain.product import product as products
from domain.product.events import Credit
from domain.product.product import Product
from domain.purchase import form as purchase_form
from domain.purchase import purchase as purchases
from domain.purchase.events import SoldAsset
from projections.asset import asset_document
from projections.asset_upload import Row, upload_document
from projections.documents import encode, fill
from projections.image_document import photo_json
from projections.item_document import ItemSummary, item_pieces, whole
from projections.presence_document import presence_document
from projections.product_document import product_document
from projections.purchase_document import Buyer, fill_tokens, purchase_document, with_buyer

Json = dict[str, Any]

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
TIME = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
_STAMP = Stamp(TIME, ID, "key_example", "example")
_CREDITS = {
    "artist": UUID("5d1f8a3e-2c55-5f0e-8f4b-1f6a2f4b9a01"),
    "music_label": UUID("0b2f8a3e-2c55-5f0e-8f4b-1f6a2f4b9a02"),
}

PRODUCT_CREATE = {
    "title": "Abbey Road",
    "type": "physical",
    "artist_name": "The Beatles",
    "music_label_name": "Apple Records",
    "catalog_number": "PCS 7088",
    "formats": ["Vinyl"],
    "year": "1969",
    "marketplace_description": "Original 1969 UK pressing.",
    "tags": ["classic-rock", "uk-pressing"],
    "price_override_usd": "29.99",
}
PRODUCT_REVISE = {
    "title": "Abbey Road (Remastered)",
    "tags": ["classic-rock", "remastered"],
    "price_override_usd": "34.99",
}
ITEM_CREATE = {
    "product_uid": ids.uid(ids.PRODUCT, ID),
    "status": "ready-to-sell",
    "condition_item": "vg_plus",
    "condition_container": "vg",
    "condition_comments": "Light surface marks",
    "price_total_usd": "34.99",
    "price_expected_usd": "39.99",
}
ITEM_REVISE = {"status": "listed", "listing_current_price": "34.99"}
PRESENCE_CREATE = {
    "platform_uid": "plat_ebay",
    "external_listing_id": "394857201",
    "external_url": "https://ebay.com/itm/394857201",
    "listing_price_usd": "34.99",
    "listing_currency": "USD",
    "status": "active",
    "is_selling_enabled": True,
}
PURCHASE_FULFILL = {
    "product_uid": ids.uid(ids.PRODUCT, ID),
    "buyer_email": "buyer@example.com",
    "buyer_name": "Ana Sousa",
    "external_order_id": "1001",
    "max_downloads": 5,
}
PRESENCE_REVISE = {"status": "paused", "is_selling_enabled": False}
ASSET_CREATE = {"display_name": "Full Album Download", "description": "FLAC files, 24-bit"}
ASSET_REVISE = {"display_name": "Full Album Download (remastered)"}
ASSET_UPLOAD = {
    "filename": "album.zip",
    "size": 33_554_532,
    "content_type": "application/zip",
    "display_name": "Full Album Download",
}
PACK = ids.uid(ids.PRODUCT, UUID("01890a5d-ac96-774b-bcce-b302099a8058"))
"""A product that is not physical."""


def _shown(document: str) -> Json:
    shown: Json = msgspec.json.decode(fill(document, BASE_URL))
    return shown


def _read(*sent: tuple[Form, Json]) -> Json:
    values: Json = {}
    for form, body in sent:
        values |= form.parse(body).values
    return values


def _product(*sent: tuple[Form, Json]) -> Product:
    values = _read(*sent)
    for field, id in _CREDITS.items():
        values[field] = Credit(id, values.pop(f"{field}_name"))
    product = products.evolve(None, products.create(ID, values, _STAMP))
    assert product is not None
    return product


def _item(*sent: tuple[Form, Json]) -> Json:
    values = _read(*sent)
    item = inventory.evolve(None, inventory.create(ID, values.pop("product_uid"), 1, values, _STAMP))
    assert item is not None
    return _shown(whole(*item_pieces(item, _PRODUCT), item))


def _presence(*sent: tuple[Form, Json]) -> Json:
    presence = presences.evolve(None, presences.create(ID, _PRODUCT.id, 1, _read(*sent), _STAMP))
    assert presence is not None
    return _shown(presence_document(presence))


def _purchase() -> Json:
    values = _read((purchase_form.FULFILL, PURCHASE_FULFILL))
    values["product"] = values.pop("product_uid")
    buyer = Buyer(values.pop("buyer_email"), values.pop("buyer_name"))
    sold = SoldAsset(ID, "", "Drum Kit.zip", "Drum kit, 24 bit", "application/zip", 184_320_771)
    facts: Json = {"title": "Drum Kit", "type": "digital", "buyer": ID, "assets": [sold], "token_digest": b""}
    purchase = purchases.evolve(None, purchases.create(ID, _STAMP, **facts, **values))
    assert purchase is not None
    document = with_buyer(purchase_document(purchase), buyer)
    shown: Json = msgspec.json.decode(fill_tokens(fill(document, BASE_URL), lambda _: "kQ0mXlTQ2S6tQ0n1m1ZbVf3J"))
    return shown


def _asset(*sent: tuple[Form, Json]) -> Json:
    file = {"filename": "album.zip", "content_type": "application/zip", "blob": "", "size_bytes": 734_003_200}
    product = ids.parse(ids.PRODUCT, PACK)
    assert product is not None
    values = {**file, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", **_read(*sent)}
    [created] = assets.create(ID, product, (), values, _STAMP)
    asset = assets.evolve(None, created)
    assert asset is not None
    return _shown(asset_document(asset))


def _upload() -> Json:
    values = asset_form.UPLOAD.parse(ASSET_UPLOAD).values
    product = ids.parse(ids.PRODUCT, PACK)
    assert product is not None
    size_bytes = values["size"]
    row = Row(
        id=ID,
        product=product,
        blob="",
        multipart="",
        filename=values["filename"],
        content_type=values["content_type"],
        size_bytes=size_bytes,
        part_bytes=16 * 1024**2,
        sha256=None,
        asked={"display_name": values["display_name"]},
        created=TIME,
        expires=TIME + timedelta(hours=24),
    )
    address = "https://s3.example/deadwax/5d1f8a3e/assets/5pWbJ3mV7xQ2/file?partNumber={}&X-Amz-Signature=3a70ad03"
    document = upload_document(row, {1: 16 * 1024**2}, address.format)
    return _shown(encode(document).decode())


_PRODUCT = _product((product_form.CREATE, PRODUCT_CREATE))
ITEM = _item((item_form.CREATE, ITEM_CREATE))
REVISED_ITEM = _item((item_form.CREATE, ITEM_CREATE), (item_form.REVISE, ITEM_REVISE))
PURCHASE = _purchase()
PHOTO = _shown(
    photo_json(
        Photo(
            id=ID,
            blob="5d1f8a3e/5pWbJ3mV7xQ2/image.jpg",
            content_type="image/jpeg",
            width=3024,
            height=4032,
            size_bytes=2_310_744,
            filename="run-out groove.jpg",
            created=TIME,
        )
    )
)
PRESENCE = _presence((presence_form.CREATE, PRESENCE_CREATE))
REVISED_PRESENCE = _presence((presence_form.CREATE, PRESENCE_CREATE), (presence_form.REVISE, PRESENCE_REVISE))
ASSET = _asset((asset_form.REVISE, ASSET_CREATE))
REVISED_ASSET = _asset((asset_form.REVISE, ASSET_CREATE), (asset_form.REVISE, ASSET_REVISE))
UPLOAD = _upload()
NEW_PRODUCT = _shown(product_document(_PRODUCT))
REVISED_PRODUCT = _shown(
    product_document(_product((product_form.CREATE, PRODUCT_CREATE), (product_form.REVISE, PRODUCT_REVISE)))
)
PRODUCT = NEW_PRODUCT | {
    "price_computed_usd": ITEM["price_total_usd"],
    "total_inventory_count": 1,
    "available_inventory_count": 1,
    "inventory_items": [{field.name: ITEM[field.name] for field in fields(ItemSummary)}],
    "marketplace_presences": [PRESENCE],
}

"""A seller's shop, driven by random commands: what the tables must hold, whatever happens to it."""

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import uuid_utils.compat
from hypothesis import strategies as st

from commands.asset import CreateAsset, DeleteAsset, ReviseAsset
from commands.bus import Bus
from commands.inventory import AddPhoto, CreateItem, DeleteItem, RemovePhoto, ReviseItem
from commands.presence import CreatePresence, DeletePresence, RevisePresence
from commands.product import CreateProduct, DeleteProduct, RemoveImage, ReplaceImage, ReviseProduct
from commands.work import Context
from domain.choices import CONTAINER_CONDITIONS, INVENTORY_STATUSES, ITEM_CONDITIONS, PRESENCE_STATUSES, PRODUCT_TYPES
from domain.errors import Invalid, NotFound
from domain.image import Image
from domain.inventory import form as item_form
from domain.platforms import PLATFORMS
from domain.presence import form as presence_form
from tests.scenario import ORGANIZATION

CONTEXT = Context(ORGANIZATION, "key_1", "request-1")
TABLES = ("product_list", "product_document", "inventory_list", "presence_list", "asset_list")

_prices = st.sampled_from([None, "1.00", "9.99", "10.00", "34.50"])
_texts = st.sampled_from([None, "Abbey Road", "abbey\tlane \\N", "Zebra", "\u00c1lbum \u201c7\u201d", 'say "name":'])
PRODUCTS = st.fixed_dictionaries(
    {"title": _texts.filter(bool), "type": st.sampled_from(list(PRODUCT_TYPES))},
    optional={
        "sku": _texts,
        "catalog_number": st.sampled_from([None, "PCS 7088", "--"]),
        "price_override_usd": st.sampled_from([None, Decimal("20.00")]),
        "tags": st.sampled_from([(), ("rock",), ("Rock & Roll", "100%")]),
        "is_mature_content": st.booleans(),
    },
)
ITEMS = st.fixed_dictionaries(
    {"status": st.sampled_from(list(INVENTORY_STATUSES))},
    optional={
        "name": _texts,
        "condition_item": st.sampled_from([None, *ITEM_CONDITIONS]),
        "condition_container": st.sampled_from([None, *CONTAINER_CONDITIONS]),
        "condition_comments": _texts,
        "price_total_usd": _prices,
        "listing_current_price": _prices,
        "manual_sku": st.sampled_from([None, "A-1", "a-2", "B"]),
    },
)
PRESENCES = st.fixed_dictionaries(
    {
        "platform_uid": st.sampled_from([platform.uid for platform in PLATFORMS[:2]] + ["plat_redbubble"]),
        "status": st.sampled_from(list(PRESENCE_STATUSES)),
    },
    optional={
        "listing_price": _prices,
        "external_url": st.sampled_from([None, "https://example.com/1"]),
        "image_url": st.sampled_from([None, "https://example.com/a.jpg", "https://example.com/b.jpg"]),
    },
)
ASSETS = st.fixed_dictionaries(
    {
        "filename": st.sampled_from(
            ["cover.png", "Abbey_Road-01.flac", "\u00c1lbum \u201c7\u201d.zip", "a'b\\c.pdf", "--"]
        ),
        "content_type": st.sampled_from(["image/png", "image/jpeg", "audio/flac", "application/zip"]),
    },
    optional={"display_name": _texts, "description": _texts, "is_primary": st.booleans()},
)
REVISED_ASSETS = st.fixed_dictionaries({}, optional={"display_name": _texts, "is_primary": st.booleans()})


def new_image() -> Image:
    id = uuid_utils.compat.uuid7()
    blob = f"{ORGANIZATION}/images/{id.hex}/image.jpg"
    return Image(
        id=id, blob=blob, content_type="image/jpeg", width=8, height=6, size_bytes=99, filename="caf\u00e9.jpg"
    )


class Shop:
    """Knows the ids of what it made; `act` does one thing to it."""

    def __init__(self, bus: Bus, organization: UUID = ORGANIZATION) -> None:
        self._bus = bus
        self._context = CONTEXT._replace(organization=organization)
        self.products: list[UUID] = []
        self.items: dict[UUID, UUID] = {}
        self.presences: dict[UUID, UUID] = {}
        self.photos: dict[UUID, UUID] = {}
        self.assets: dict[UUID, UUID] = {}
        self.images: dict[UUID, Image] = {}

    def act(self, draw: Callable[..., Any]) -> None:
        """Draw a deed, what it is done to and its values, and do it; what the domain refuses is no news."""
        deed = draw(st.sampled_from(sorted(_DEEDS)))
        ids, values = _DEEDS[deed]
        known = sorted(getattr(self, ids))
        if not known:
            deed, known, values = "product", [], PRODUCTS
        chosen = [draw(st.sampled_from(known))] if known and deed != "product" else []
        with contextlib.suppress(Invalid, NotFound):
            getattr(self, deed)(*chosen, **draw(values))

    def _do(self, command: Any) -> None:
        self._bus.execute(command, self._context)

    def product(self, **values: Any) -> UUID:
        id: UUID = uuid_utils.compat.uuid7()
        artist = values.pop("artist_name", None)
        self._do(CreateProduct(id=id, values=values, artist_name=artist))
        self.products.append(id)
        return id

    def item(self, product: UUID, **values: Any) -> UUID:
        id: UUID = uuid_utils.compat.uuid7()
        self._do(CreateItem(id=id, product=product, values=item_form.REVISE.parse(values).values))
        self.items[id] = product
        return id

    def presence(self, product: UUID, **values: Any) -> UUID:
        id: UUID = uuid_utils.compat.uuid7()
        self._do(CreatePresence(id=id, product=product, values=presence_form.CREATE.parse(values).values))
        self.presences[id] = product
        return id

    def asset(self, product: UUID, **values: Any) -> UUID:
        id: UUID = uuid_utils.compat.uuid7()
        file = {"size_bytes": 99, "sha256": "ab" * 32, "blob": f"{ORGANIZATION}/assets/{id.hex}/file"}
        self._do(CreateAsset(id=id, product=product, values={**file, **values}))
        self.assets[id] = product
        return id

    def photo(self, item: UUID) -> UUID:
        image = new_image()
        self._do(AddPhoto(id=item, image=image))
        self.photos[image.id] = item
        return image.id

    def revise(self, product: UUID, **values: Any) -> None:
        self._do(ReviseProduct(id=product, values=values))

    def revise_item(self, item: UUID, **values: Any) -> None:
        self._do(ReviseItem(id=item, values=item_form.REVISE.parse(values).values))

    def revise_presence(self, presence: UUID, **values: Any) -> None:
        parsed = presence_form.REVISE.parse(values).values
        self._do(RevisePresence(id=presence, product=self.presences[presence], values=parsed))

    def revise_asset(self, asset: UUID, **values: Any) -> None:
        self._do(ReviseAsset(id=asset, product=self.assets[asset], values=values))

    def replace_image(self, product: UUID) -> None:
        image = new_image()
        self._do(ReplaceImage(product, image))
        self.images[product] = image

    def remove_image(self, product: UUID) -> None:
        self._do(RemoveImage(product))
        del self.images[product]

    def drop_photo(self, photo: UUID) -> None:
        self._do(RemovePhoto(id=self.photos.pop(photo), photo=photo))

    def drop_item(self, item: UUID) -> None:
        self._do(DeleteItem(id=item))
        self._forget_item(item)

    def drop_presence(self, presence: UUID) -> None:
        self._do(DeletePresence(presence, self.presences.pop(presence)))

    def drop_asset(self, asset: UUID) -> None:
        self._do(DeleteAsset(asset, self.assets.pop(asset)))

    def drop_product(self, product: UUID) -> None:
        self._do(DeleteProduct(product))
        self.products.remove(product)
        for item in [item for item, of in self.items.items() if of == product]:
            self._forget_item(item)
        self.assets = {asset: of for asset, of in self.assets.items() if of != product}
        self.presences = {presence: of for presence, of in self.presences.items() if of != product}

    def _forget_item(self, item: UUID) -> None:
        del self.items[item]
        self.photos = {photo: of for photo, of in self.photos.items() if of != item}


_nothing: st.SearchStrategy[dict[str, Any]] = st.just({})
_DEEDS: dict[str, tuple[str, st.SearchStrategy[dict[str, Any]]]] = {
    "product": ("products", PRODUCTS),
    "revise": ("products", PRODUCTS.map(lambda values: {k: v for k, v in values.items() if k != "type"})),
    "item": ("products", ITEMS),
    "presence": ("products", PRESENCES),
    "asset": ("products", ASSETS),
    "replace_image": ("products", _nothing),
    "remove_image": ("products", _nothing),
    "drop_product": ("products", _nothing),
    "revise_item": ("items", ITEMS),
    "photo": ("items", _nothing),
    "drop_item": ("items", _nothing),
    "drop_photo": ("photos", _nothing),
    "revise_presence": ("presences", PRESENCES),
    "drop_presence": ("presences", _nothing),
    "revise_asset": ("assets", REVISED_ASSETS),
    "drop_asset": ("assets", _nothing),
}


def rows(database_url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the catalogue's tables."""
    with psycopg.connect(database_url) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY id".encode()).fetchall() for table in TABLES}

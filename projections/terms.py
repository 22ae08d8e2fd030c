"""What the log tells, in the API's terms: its names of fields, its spelling of values. A new kind of object is an entry
of NOUNS; what no entry names is not shown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw

from domain import ids
from domain.asset import asset as assets
from domain.asset.asset import Asset
from domain.asset.events import AssetCreated
from domain.connection.events import ConnectionCreated
from domain.event import DomainEvent, own_fields
from domain.image import Image, Photo
from domain.imports.events import ImportAdvanced, ImportRecognised, ImportRequested
from domain.inventory import inventory
from domain.inventory.events import ItemCreated
from domain.inventory.inventory import Item
from domain.presence import presence as presences
from domain.presence.events import PresenceCreated
from domain.presence.presence import Presence
from domain.product import product as products
from domain.product.events import Credit, ProductCreated
from domain.product.product import Product
from domain.purchase import purchase as purchases
from domain.purchase.purchase import Purchase
from domain.vocabulary import DECODERS, name, noun
from projections.documents import credit, encode, money
from projections.image_document import image_url, photo_document
from projections.purchase_document import sold_files

Spell = Callable[[Any], Any]


class Term(NamedTuple):
    """A field as the API calls it, and how its values are spelled there; None is None everywhere."""

    name: str
    spell: Spell = lambda value: value


class Noun(NamedTuple):
    """A kind of object. `label` begins the readable names of its events, `prefix` its uids. `fields` are those of its
    events and of its state that are shown, `hidden` those of its events that are not. Without `state` and `evolve` it
    has no history, `derived` are what its state tells beyond its fields. What `is_kin` belongs to a product, and is
    shown with it as it was.
    """

    label: str
    prefix: str
    fields: Mapping[str, Term]
    hidden: frozenset[str] = frozenset()
    state: Any = None
    evolve: Callable[[Any, DomainEvent], Any] | None = None
    is_kin: bool = False
    derived: Sequence[str] = ()

    @property
    def shown(self) -> list[tuple[str, Term]]:
        """The fields of its state that changes are told of."""
        names = (*self.state.__struct_fields__, *self.derived)
        return [(field, self.fields[field]) for field in names if field in self.fields]


def _uid(prefix: str) -> Spell:
    def spell(id: UUID) -> str:
        return ids.uid(prefix, id)

    return spell


def _credit(prefix: str) -> Spell:
    def spell(given: Credit) -> Any:
        return credit(prefix, given)

    return spell


def _address(image: Image) -> Raw:
    return Raw(image_url(image).encode())


def _photo(photo: Image | UUID) -> Any:
    """An event that adds a photo tells it whole, one that takes it away tells its id."""
    if isinstance(photo, UUID):
        return ids.uid(ids.ASSET, photo)
    return {
        "uid": ids.uid(ids.ASSET, photo.id),
        "url": _address(photo),
        "filename": photo.filename,
        "content_type": photo.content_type,
        "width": photo.width,
        "height": photo.height,
    }


def _photos(photos: tuple[Photo, ...]) -> Any:
    return [photo_document(photo) for photo in photos]


def _named(names: Iterable[str], **others: Term) -> dict[str, Term]:
    """Return the fields of these names, which are the API's as well, with `others` that differ."""
    return {field: Term(field) for field in names} | others


_PRODUCT_OF = Term("product_uid", _uid(ids.PRODUCT))
_PRICE = ("price_total_usd", "listing_current_price", "price_expected_usd")
_LISTING_PRICE = ("listing_price", "listing_price_usd")

NOUNS: Mapping[str, Noun] = {
    "product": Noun(
        "Product",
        ids.PRODUCT,
        _named(
            own_fields(ProductCreated),
            artist=Term("artist", _credit(ids.ARTIST)),
            music_label=Term("music_label", _credit(ids.LABEL)),
            price_override_usd=Term("price_override_usd", money),
            image=Term("product_image", _address),
        ),
        state=Product,
        evolve=products.evolve,
    ),
    "inventory": Noun(
        "Inventory item",
        ids.INVENTORY,
        _named(
            (field for field in own_fields(ItemCreated) if field != "number"),
            product=_PRODUCT_OF,
            **{field: Term(field, money) for field in _PRICE},
            photo=Term("asset", _photo),
            photos=Term("assets", _photos),
        ),
        hidden=frozenset({"number"}),
        state=Item,
        evolve=inventory.evolve,
        is_kin=True,
    ),
    "presence": Noun(
        "Presence",
        ids.PRESENCE,
        _named(
            own_fields(PresenceCreated),
            product=_PRODUCT_OF,
            number=Term("id"),
            **{field: Term(field, money) for field in _LISTING_PRICE},
            price_last_updated=Term("price_last_updated"),
            last_checked_at=Term("last_checked_at"),
            old_status=Term("old_status"),
            old_listing_price=Term("old_listing_price", money),
            old_listing_currency=Term("old_listing_currency"),
            order=Term("order"),
            order_line=Term("order_line"),
            first_order=Term("first_order"),
            sale_price=Term("sale_price", money),
            sale_currency=Term("sale_currency"),
            sold_at=Term("sold_at"),
            item=Term("inventory_uid", _uid(ids.INVENTORY)),
        ),
        hidden=frozenset({"push", "sold_with"}),
        state=Presence,
        evolve=presences.evolve,
        is_kin=True,
    ),
    "asset": Noun(
        "Asset",
        ids.ASSET,
        _named(
            (field for field in own_fields(AssetCreated) if field != "blob"),
            product=_PRODUCT_OF,
            size_bytes=Term("size"),
        ),
        hidden=frozenset({"blob"}),
        state=Asset,
        evolve=assets.evolve,
        is_kin=True,
    ),
    "purchase": Noun(
        "Purchase",
        ids.PURCHASE,
        _named(
            (
                *("title", "type", "external_order_id", "max_downloads", "expires_at", "status", "download_count"),
                *("attempt", "reason", "due"),
            ),
            product=_PRODUCT_OF,
            number=Term("mail"),
            asset=Term("asset_uid", _uid(ids.ASSET)),
            assets=Term("assets", sold_files),
            email_status=Term("email.status"),
            email_attempts=Term("email.attempts"),
            email_error=Term("email.last_error"),
            email_sent_at=Term("email.sent_at"),
        ),
        hidden=frozenset({"buyer", "token_digest", "download", "assets"}),
        state=Purchase,
        evolve=purchases.evolve,
        derived=("status",),
    ),
    "connection": Noun(
        "Marketplace connection", ids.CONNECTION, _named((*own_fields(ConnectionCreated), "reason", "is_final"))
    ),
    "task": Noun("Task", "task_", _named(("kind", "attempt", "reason", "due")), hidden=frozenset({"subject"})),
    "artist": Noun("Artist", ids.ARTIST, _named(("name",))),
    "label": Noun("Music label", ids.LABEL, _named(("name",))),
    "import": Noun(
        "Import",
        ids.IMPORT,
        _named(
            (*own_fields(ImportRequested), *own_fields(ImportRecognised), *own_fields(ImportAdvanced)),
            attempt=Term("attempt"),
            error=Term("error"),
            size_bytes=Term("size"),
            mapping=Term("map", dict),
        ),
        hidden=frozenset({"blob", "sha256", "rejects_blob"}),
    ),
    "organization": Noun("Organization", ids.ORGANIZATION, _named(("name",))),
    "api-key": Noun("API key", ids.API_KEY, _named(("name", "scopes", "prefix")), hidden=frozenset({"digest"})),
}

EVENT_NAMES: Mapping[str, str] = {
    named: f"{NOUNS[noun(named)].label} {named.partition('.')[2].replace('-', ' ')}"
    for named in dict.fromkeys(map(name, DECODERS))
    if noun(named) in NOUNS
}
"""Every event's name with its readable form, e.g. `product.price-overridden`: Product price overridden."""


def spelled(term: Term, value: Any) -> Any:
    return None if value is None else term.spell(value)


def data(event: DomainEvent) -> dict[str, Any]:
    """Return what the event tells beyond who and when, in the API's terms; nothing without an entry."""
    if (known := NOUNS.get(noun(event.TOPIC))) is None:
        return {}
    fields, hidden = known.fields, known.hidden
    told = {
        field: getattr(event, field) for field in own_fields(type(event)) if field in fields and field not in hidden
    }
    return {fields[field].name: spelled(fields[field], value) for field, value in told.items() if value is not UNSET}


def changes(of: Noun, before: Any, after: Any) -> dict[str, dict[str, Any]]:
    """Return what the API would show otherwise: {name: {"from": …, "to": …}}. What is gone has changed no field."""
    if after is None:
        return {}
    found = {}
    for field, term in of.shown:
        old, new = (None if before is None else getattr(before, field)), getattr(after, field)
        if old != new:
            shown = {"from": spelled(term, old), "to": spelled(term, new)}
            # Two values of the log may be one in the API.
            if encode(shown["from"]) != encode(shown["to"]):
                found[term.name] = shown
    return found


def object_of(topic: str, originator: UUID) -> dict[str, str]:
    """Return what the event is about: the kind of object, and its uid."""
    kind = noun(topic)
    prefix = NOUNS[kind].prefix if kind in NOUNS else f"{kind}_"
    return {"type": kind, "uid": ids.uid(prefix, originator)}


def id_of(uid: str) -> UUID | None:
    """Return the id behind a uid of any kind; None for what is none."""
    prefix = uid.partition("_")[0] + "_"
    return ids.parse(prefix, uid) if any(of.prefix == prefix for of in NOUNS.values()) else None


def decoded(topic: str, state: bytes) -> DomainEvent | None:
    """Return the event; None for one that this version does not know, which a newer one has written."""
    try:
        return DECODERS[topic](state)
    except (KeyError, msgspec.MsgspecError):
        return None

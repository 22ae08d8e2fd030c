"""Which file this is, and which of its columns holds what."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from commands.imports.errors import UnreadableFile

Name = Literal["discogs-collection", "discogs-inventory", "discogs-upload", "csv"]

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "discogs-collection": "Discogs collection export",
        "discogs-inventory": "Discogs inventory export",
        "discogs-upload": "Discogs seller upload file",
        "csv": "CSV by its column names",
    }
)

# Field -> names that a column for it goes by, folded by `_key`, the best first. These fields are what --map knows.
KNOWN_NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "title": ("title", "album", "albumtitle", "albumname", "releasetitle", "release", "recordtitle", "producttitle",
                  "productname", "name"),
        "artist": ("artist", "artistname", "albumartist", "artists", "band", "performer", "interpret"),
        "label": ("label", "musiclabel", "musiclabelname", "labelname", "recordlabel", "labels"),
        "catalog_number": ("catalog", "catalognumber", "catalogno", "catalogue", "cataloguenumber", "catno",
                           "catnumber"),
        "year": ("year", "released", "releaseyear", "releasedate", "yearreleased"),
        "formats": ("formats", "format"),
        "sku": ("sku",),
        "upc": ("upc", "barcode", "ean", "gtin"),
        "tags": ("tags",),
        "price_override_usd": ("priceoverrideusd", "priceusd"),
        "marketplace_description": ("marketplacedescription", "description"),
        "license_type": ("licensetype",),
        "license_notes": ("licensenotes",),
        "media_type": ("mediatype",),
        "type": (),
        "external_id": ("externalid", "id", "albumid", "productid"),
    }
)  # fmt: skip
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "album": "title",
        "artist_name": "artist",
        "music_label": "label",
        "music_label_name": "label",
        "catalog": "catalog_number",
        "catno": "catalog_number",
        "released": "year",
        "format": "formats",
        "price": "price_override_usd",
        "description": "marketplace_description",
        "barcode": "upc",
        "id": "external_id",
    }
)
_DISCOGS_COLUMNS = {"title": "title", "artist": "artist", "label": "label", "formats": "format", "release": "releaseid"}
_ITEM_COLUMNS = {
    "listing_id": "listingid",
    "status": "status",
    "price": "price",
    "comments": "comments",
    "media_condition": "mediacondition",
    "sleeve_condition": "sleevecondition",
    "external_id": "externalid",
    "location": "location",
    "quantity": "quantity",
}
_NO_LETTERS = re.compile(r"[\W_]+")


class Layout(Struct, frozen=True):
    """Columns by position: `columns` for the product's fields (and "release", a Discogs release id), `item` for what
    is said of its copies. `is_id_named` is whether a person said which column is the external id."""

    name: Name
    columns: Mapping[str, int]
    item: Mapping[str, int]
    header: tuple[str, ...]
    is_id_named: bool = False


def recognise(header: Sequence[str], mapping: Mapping[str, str] | None = None) -> Layout:
    """Return the layout of a file with this header. `mapping` is field -> column name and goes before what is known; an
    empty column name leaves the field out. Raises UnreadableFile: unknown field or column, no title."""
    chosen = _chosen(header, mapping or {})
    places: dict[str, int] = {}
    for position, name in enumerate(header):
        places.setdefault(_key(name), position)
    name = _name(places)
    item = {}
    if name == "csv":
        columns = _guess(places, {position for position in chosen.values() if position is not None})
    else:
        columns = {field: places[key] for field, key in _DISCOGS_COLUMNS.items() if key in places}
        extra = {"catalog_number": ("catalog", "catno"), "year": ("released", "year")}
        columns |= {f: places[key] for f, keys in extra.items() for key in keys if key in places}
        if name != "discogs-collection":
            # A collection's conditions are notes of its owner's; its copies are not for sale.
            item = {field: places[key] for field, key in _ITEM_COLUMNS.items() if key in places}
    for field, place in chosen.items():
        columns.pop(field, None)
        if place is not None:
            columns[field] = place
    if "title" not in columns and name != "discogs-upload":
        raise UnreadableFile(
            'No column is known to hold the title: map one, title="Column". ' + _existing("Columns", header)
        )
    return Layout(name, columns, item, tuple(header), chosen.get("external_id") is not None)


def _name(places: Mapping[str, int]) -> Name:
    if "listingid" in places and {"artist", "title", "releaseid"} <= places.keys():
        return "discogs-inventory"
    if {"artist", "title", "releaseid"} <= places.keys():
        return "discogs-collection"
    if {"releaseid", "price", "mediacondition"} <= places.keys() and "title" not in places:
        return "discogs-upload"
    return "csv"


def _guess(places: Mapping[str, int], taken: set[int]) -> dict[str, int]:
    columns = {}
    for field, names in KNOWN_NAMES.items():
        place = next((places[name] for name in names if name in places and places[name] not in taken), None)
        if place is not None:
            columns[field] = place
            taken.add(place)
    return columns


def _chosen(header: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int | None]:
    chosen: dict[str, int | None] = {}
    for given, column in mapping.items():
        field = given.strip().lower().replace("-", "_")
        field = ALIASES.get(field, field)
        if field not in KNOWN_NAMES:
            raise UnreadableFile(f"Unknown field {given!r} in the map. " + _existing("Fields", list(KNOWN_NAMES)))
        chosen[field] = _position(header, column) if column.strip() else None
    return chosen


def _position(header: Sequence[str], column: str) -> int:
    """Find a column by its exact name, else by its name without case and outer white space."""
    for wanted, names in (
        (column, list(header)),
        (column.strip().casefold(), [name.strip().casefold() for name in header]),
    ):
        if wanted in names:
            return names.index(wanted)
    raise UnreadableFile(f"The file has no column {column!r}. " + _existing("Columns", header))


def _existing(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(name.strip() for name in names if name.strip())
    return f"{what}: {shown if len(shown) < 1000 else shown[:1000] + ' …'}."


def _key(name: str) -> str:
    return _NO_LETTERS.sub("", name.casefold())

"""The peers' database: the same records as Deadwax's, normalised, by COPY."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from msgspec.structs import astuple

from bench.albums import Album, albums
from bench.peers import rules
from bench.sellers import Seller
from domain import ids
from domain.credit.credit import ARTIST, LABEL, credit_id
from domain.platforms import PLATFORMS

DATABASE = "peers"
_BATCH = 5000
_HERE = Path(__file__).parent
_WORD = re.compile(r"\w+")
_PLATFORM_IDS = {platform.uid: number for number, platform in enumerate(PLATFORMS, 1)}
_PREFIXES = {ARTIST: ids.ARTIST, LABEL: ids.LABEL}

_PRODUCT = (
    *("id", "uid", "organization_id", "artist_id", "music_label_id", "title", "type", "catalog_number", "sku", "upc"),
    *("formats", "year", "marketplace_description", "license_type", "license_notes", "tags", "is_mature_content"),
    *("default_shop_product", "price_computed_usd", "price_override_usd", "external_id", "external_id_title"),
    *("search", "created", "updated"),
)
_ITEM = (
    *("id", "uid", "product_id", "number", "name", "status", "condition_item", "condition_container"),
    *("condition_comments", "price_total_usd", "listing_current_price", "price_expected_usd", "manual_sku"),
    *("created", "updated"),
)
_PRESENCE = (
    *("id", "product_id", "platform_id", "external_listing_id", "external_url", "image_url", "status"),
    *("listing_price", "listing_currency", "listing_price_usd", "is_selling_enabled", "price_last_updated"),
    *("created_at", "updated_at"),
)

Rows = list[tuple[Any, ...]]


def url_of_peers(database_url: str) -> str:
    """Return the URL of the peers' database, which is beside Deadwax's."""
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{DATABASE}"))


def fill(database_url: str, sellers: Sequence[Seller]) -> None:
    """Make the peers' database and fill it with what the sellers have."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        # With every core busy, a query's workers only take turns: alone it would be quicker, sixteen are slower.
        connection.execute(f"ALTER DATABASE {DATABASE} SET max_parallel_workers_per_gather = 0".encode())
    url = url_of_peers(database_url)
    with psycopg.connect(url) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute((_HERE / "schema.sql").read_bytes())
        _copy(
            connection,
            "organizations",
            ("id", "uid", "name"),
            [(s.number, s.organization.hex, s.name) for s in sellers],
        )
        _copy(connection, "api_keys", ("organization_id", "digest"), [(s.number, s.key_digest) for s in sellers])
        platforms = [(number, *astuple(platform)) for number, platform in enumerate(PLATFORMS, 1)]
        _copy(connection, "platforms", ("id", *PLATFORMS[0].__struct_fields__), platforms)
        tables = _Tables()
        for seller in sellers:
            everything = albums(seller.number, 0, seller.products)
            while batch := list(islice(everything, _BATCH)):
                for table, columns, rows in tables.rows(seller, batch):
                    _copy(connection, table, columns, rows)
        connection.execute((_HERE / "indexes.sql").read_bytes())
    with psycopg.connect(url, autocommit=True) as connection:
        # Also sets the visibility map, without which nothing is read from an index alone.
        connection.execute("VACUUM ANALYZE")


def _copy(connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for row in rows:
            copy.write_row(row)


class _Tables:
    """Turns albums into rows. Keys count up in the order of the uids."""

    def __init__(self) -> None:
        self._products, self._items = count(1), count(1)
        self._credits: dict[tuple[int, str, str], int] = {}

    def rows(self, seller: Seller, batch: Sequence[Album]) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
        """Give (table, columns, rows), what is referred to first."""
        credits: dict[str, Rows] = {ARTIST: [], LABEL: []}
        products: Rows = []
        items: Rows = []
        presences: Rows = []
        for album in batch:
            id = next(self._products)
            artist = self._credit(seller, ARTIST, album.artist_name, credits)
            label = self._credit(seller, LABEL, album.music_label_name, credits)
            products.append(_product_row(id, seller, artist, label, album))
            items.extend(_item_row(next(self._items), id, item) for item in album.items)
            presences.extend(_presence_row(id, presence) for presence in album.presences)
        yield "artists", ("id", "organization_id", "uid", "name"), credits[ARTIST]
        yield "labels", ("id", "organization_id", "uid", "name"), credits[LABEL]
        yield "products", _PRODUCT, products
        yield "inventory_items", _ITEM, items
        yield "presences", _PRESENCE, presences

    def _credit(self, seller: Seller, noun: str, name: str, fresh: dict[str, Rows]) -> int:
        key = (seller.number, noun, name)
        if key not in self._credits:
            self._credits[key] = len(self._credits) + 1
            uid = ids.uid(_PREFIXES[noun], credit_id(seller.organization, noun, name))
            fresh[noun].append((self._credits[key], seller.number, uid, name))
        return self._credits[key]


def _product_row(id: int, seller: Seller, artist: int, label: int, album: Album) -> tuple[Any, ...]:
    given = album.values
    get = given.get
    price = rules.computed_price(
        (
            (i.values["status"], i.values.get("listing_current_price"), i.values.get("price_total_usd"))
            for i in album.items
        ),
        ((p.values["status"], p.values["listing_price_usd"]) for p in album.presences),
    )
    texts = (
        *(given["title"], get("catalog_number"), *given["tags"], get("marketplace_description"), get("license_type")),
        *(get("license_notes"), album.artist_name, album.music_label_name),
    )
    words = _WORD.findall(" ".join(text for text in texts if text).lower())
    formats, tags = get("formats"), list(given["tags"])
    return (
        *(id, ids.uid(ids.PRODUCT, album.id), seller.number, artist, label, given["title"], given["type"]),
        *(get("catalog_number"), get("sku"), get("upc"), None if formats is None else list(formats), get("year")),
        *(get("marketplace_description"), get("license_type"), get("license_notes"), tags, False, False, price),
        *(get("price_override_usd"), get("external_id"), get("external_id_title")),
        " ".join(f"{word}:{place}" for place, word in enumerate(words, 1)),
        *(album.created, album.created),
    )


def _item_row(id: int, product: int, item: Any) -> tuple[Any, ...]:
    get = item.values.get
    return (
        *(id, ids.uid("inv_", item.id), product, item.number, get("name"), get("status"), get("condition_item")),
        *(get("condition_container"), get("condition_comments"), get("price_total_usd")),
        *(get("listing_current_price"), get("price_expected_usd"), get("manual_sku"), item.created, item.created),
    )


def _presence_row(product: int, presence: Any) -> tuple[Any, ...]:
    get = presence.values.get
    return (
        *(
            presence.number,
            product,
            _PLATFORM_IDS[get("platform_uid")],
            get("external_listing_id"),
            get("external_url"),
        ),
        *(get("image_url"), get("status"), get("listing_price"), get("listing_currency"), get("listing_price_usd")),
        *(get("is_selling_enabled"), presence.created, presence.created, presence.created),
    )

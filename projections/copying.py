"""Families of products as rows of new tables, by COPY."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from psycopg import Connection

from projections import asset, inventory, presence
from projections.asset import asset_row
from projections.base import queries
from projections.inventory import item_row
from projections.item_document import item_pieces
from projections.presence import presence_row
from projections.product import product_row
from projections.replay import Family

_SQL = queries("rebuild")
_BATCH = 500
"""Products that are written at once."""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _text(value: Any) -> str:
    """Return a value in COPY's text format."""
    if value is None:
        return "\\N"
    if value is True or value is False:
        return "t" if value else "f"
    if isinstance(value, UUID):
        return value.hex
    return str(value).translate(_ESCAPES)


def _line(values: Iterable[Any]) -> str:
    return "\t".join(map(_text, values)) + "\n"


def _copy_of(table: str, columns: tuple[str, ...]) -> bytes:
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()


_COPY_ITEMS = _copy_of("inventory_list", inventory.COLUMNS)
_COPY_PRESENCES = _copy_of("presence_list", presence.COLUMNS)
_COPY_ASSETS = _copy_of("asset_list", asset.COLUMNS)
_ALONE = "0\t0\t0\t0\t0\tf\tf\n"


class Copying:
    """Writes families to the tables that the connection's search path leads to, many at a time."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._rows: list[str] = []
        self._documents: list[str] = []
        self._items: list[str] = []
        self._presences: list[str] = []
        self._assets: list[str] = []
        self._families: list[tuple[Family, tuple[Any, ...]]] = []
        self.products = 0

    def add(self, family: Family) -> None:
        row = product_row(family.product)
        if family.moves:
            for item in family.items:
                self._items.append(_line(item_row(item, family.product, item_pieces(item, family.product))))
            self._presences.extend(_line(presence_row(presence)) for presence in family.presences)
            self._assets.extend(_line(asset_row(asset)) for asset in family.assets)
            self._families.append((family, row))
        else:
            self._write(row, row[8], row[11], _ALONE, row[13])
        if len(self._rows) + len(self._families) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        self._copy(_COPY_ITEMS, self._items)
        self._copy(_COPY_PRESENCES, self._presences)
        self._copy(_COPY_ASSETS, self._assets)
        self._compose()
        self.products += len(self._rows)
        self._copy(_SQL["fill_products"], self._rows)
        self._copy(_SQL["fill_documents"], self._documents)

    def _compose(self) -> None:
        """Let the database say what the families come to, as it does for every write."""
        if not self._families:
            return
        own = [row for _, row in self._families]
        columns = {"ids": 0, "organizations": 1, "types": 3, "prices": 8, "are_mature": 10, "searches": 11}
        columns |= {"images": 12, "documents": 13}
        values = {name: [row[place] for row in own] for name, place in columns.items()}
        found = self._connection.execute(_SQL["compose"], values).fetchall()
        for (family, row), (price, document, search, own, *counts) in zip(self._families, found, strict=True):
            self._write(row, price, search, _line((family.moves, family.items_made, *counts)), document, own)
        self._families.clear()

    def _write(
        self, row: tuple[Any, ...], price: Any, search: str, rest: str, document: str, own: str | None = None
    ) -> None:
        id, organization, revision, type, title, artist, created, updated, override, tags, is_mature, _, image, _ = row
        self._rows.append(
            "\t".join(
                (
                    id.hex,
                    organization.hex,
                    str(revision),
                    type,
                    _text(title),
                    _text(artist),
                    str(created),
                    str(updated),
                    _text(override),
                    _text(price),
                    tags.translate(_ESCAPES),
                    _text(is_mature),
                    # Neither a vector's words nor JSON text hold white space other than blanks.
                    search.replace("\\", "\\\\"),
                    rest,
                )
            )
        )
        self._documents.append(f"{id.hex}\t{_text(image)}\t" + document.replace("\\", "\\\\") + f"\t{_text(own)}\n")

    def _copy(self, statement: bytes, lines: list[str]) -> None:
        if lines:
            with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write("".join(lines))
            lines.clear()

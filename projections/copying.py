"""Families of products as rows of new tables, by COPY."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from types import NoneType
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection

from domain.asset.asset import Asset
from projections import asset, inventory, presence, product
from projections.asset import asset_row
from projections.base import queries
from projections.composing import Row, compose
from projections.documents import encode
from projections.product import product_row
from projections.replay import Family

_SQL = queries("rebuild")
_BATCH = 1000
"""Products that are written at once."""


def _escaped(text: str) -> str:
    # Looking first: to translate by a table, or to replace what is not there, takes ten times as long.
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text:
        text = text.replace("\n", "\\n")
    if "\t" in text:
        text = text.replace("\t", "\\t")
    return text.replace("\r", "\\r") if "\r" in text else text


def _doubled(text: str) -> str:
    return text.replace("\\", "\\\\") if "\\" in text else text


def _text(text: str | None) -> str:
    return "\\N" if text is None else _escaped(text)


def _any(value: Any) -> str:
    return "\\N" if value is None else str(value)


def _time(at: datetime) -> str:
    # Python's own way of writing one takes eight times as long.
    return encode(at)[1:-1].decode()


_FORMS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda _: "\\N",
    bool: ("f", "t").__getitem__,
    int: str,
    str: _escaped,
    UUID: attrgetter("hex"),
    Decimal: str,
    datetime: _time,
}
"""How values look in COPY's text format."""


def _line(values: Iterable[Any]) -> str:
    return "\t".join([_FORMS[type(value)](value) for value in values]) + "\n"


def _copy_of(table: str, columns: tuple[str, ...]) -> bytes:
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()


_COPY_ITEMS = _copy_of("inventory_list", inventory.COLUMNS)
_COPY_PRESENCES = _copy_of("presence_list", presence.COLUMNS)
_COPY_ASSETS = _copy_of("asset_list", asset.COLUMNS)
_PRICE, _SEARCH, _IMAGE, _DOCUMENT = map(product.COLUMNS.index, ("price_override", "search", "image", "document"))
_WORDS = asset.COLUMNS.index("words")
_NOTHING = (0, 0, 0, False, False)
"""Counts of a product without items, presences and assets."""


class _Told(NamedTuple):
    """A product as its rows tell it: `row` has the values of product.COLUMNS; with its family it has a `price`,
    `counts` and a `document`, and `words` of its assets.
    """

    row: Row
    price: Decimal | None
    counts: Row
    document: str
    words: Sequence[str] = ()


class Copying:
    """Writes families to the tables that the connection's search path leads to, many at a time."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._rows: list[str] = []
        self._documents: list[str] = []
        self._items: list[str] = []
        self._presences: list[str] = []
        self._assets: list[str] = []
        self._with_words: list[_Told] = []
        self.products = 0

    def add(self, family: Family) -> None:
        told = self._told(family)
        if told.words:
            self._with_words.append(told)
        else:
            self._write(told, told.row[_SEARCH], None)
        if len(self._rows) + len(self._with_words) >= _BATCH:
            self.flush()

    def _told(self, family: Family) -> _Told:
        product, moved = family.product, (family.moves, family.items_made)
        row = product_row(product)
        price, document = row[_PRICE], row[_DOCUMENT]
        if not (family.items or family.presences or family.assets):
            return _Told(row, price, (*moved, *_NOTHING), document)
        found = compose(product, row[_IMAGE], family.items, family.presences, family.assets)
        self._items.extend([_line(item) for item in found.items])
        self._presences.extend([_line(one) for one in found.presences])
        assets = [asset_row(one) for one in sorted(family.assets, key=_age)]
        self._assets.extend([_line(one) for one in assets])
        counts = (len(found.items), found.available_count, found.statuses, found.is_listed)
        return _Told(
            row,
            found.computed if price is None else price,
            (*moved, *counts, found.suits_redbubble and not product.is_mature_content),
            found.into(document),
            [one[_WORDS] for one in assets],
        )

    def flush(self) -> None:
        self._add_words()
        self.products += len(self._rows)
        for statement, lines in (
            (_COPY_ITEMS, self._items),
            (_COPY_PRESENCES, self._presences),
            (_COPY_ASSETS, self._assets),
            (_SQL["fill_products"], self._rows),
            (_SQL["fill_documents"], self._documents),
        ):
            if lines:
                with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                    copy.write("".join(lines))
                lines.clear()

    def _add_words(self) -> None:
        """Let the database put the words of assets behind their products', as it does for every write."""
        if not self._with_words:
            return
        own = [told.row[_SEARCH] for told in self._with_words]
        others = [_array(told.words) for told in self._with_words]
        found = self._connection.execute(_SQL["words"], {"own": own, "others": others}).fetchall()
        for told, [search] in zip(self._with_words, found, strict=True):
            self._write(told, search, told.row[_SEARCH])
        self._with_words.clear()

    def _write(self, told: _Told, search: str, own: str | None) -> None:
        id, organization, revision, type, title, artist, created, updated, override, tags, is_mature, *_ = told.row
        key, born = id.hex, _time(created)
        last = born if updated is created else _time(updated)
        # Neither a vector's words nor JSON text hold white space other than blanks.
        search, document = _doubled(search), _doubled(told.document)
        self._rows.append(
            f"{key}\t{organization.hex}\t{revision}\t{type}\t{_text(title)}\t{_text(artist)}\t{born}"
            f"\t{last}\t{_any(override)}\t{_any(told.price)}\t{_escaped(tags)}"
            f"\t{'t' if is_mature else 'f'}\t{search}\t{_line(told.counts)}"
        )
        self._documents.append(f"{key}\t{_text(told.row[_IMAGE])}\t{document}\t{_text(own)}\n")


def _age(asset: Asset) -> tuple[datetime, int]:
    return asset.created, asset.id.int


def _array(texts: Iterable[str]) -> str:
    """Return an array of texts as PostgreSQL writes one."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join([f'"{text}"' for text in quoted]) + "}"

"""A row of a file becomes one product to import, or the reason why it does not."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from commands.imports import cells as read
from commands.imports.arrivals import Copies, ImportRow
from commands.imports.copies import copies_reader
from commands.imports.errors import Refusal, explain
from commands.imports.formats import Layout
from commands.imports.reader import Record
from domain.discogs import RELEASE_TITLE
from domain.rates import USD

Parse = Callable[[dict[str, Any]], tuple[dict[str, Any], dict[str, Any]]]
"""Checks a product's fields as the API does: (values by field, errors by field)."""

_RELEASE = re.compile(r"[1-9]\d{0,17}\Z", re.ASCII)
_READERS: Mapping[str, Callable[[str], Any]] = {
    "catalog_number": read.catalog_number,
    "year": read.year,
    "formats": read.formats,
    "price_override_usd": read.price,
    "tags": read.tags,
}
# These say which pressing it is; all of them, so that two pressings of one album stay two products.
_IDENTITY = ("title", "year", "catalog_number", "sku", "upc", "external_id")


class Row(NamedTuple):
    """What a row brings: a product, or the release of one that is known already; in a seller's file with copies."""

    line: int
    product: ImportRow
    cells: Sequence[str]


class Refused(NamedTuple):
    """A row that cannot be imported as it is. `cells` are the row's own."""

    line: int
    reason: str
    cells: Sequence[str]


def interpret(
    records: Iterable[Record], layout: Layout, type: str, parse: Parse, currency: str = USD
) -> Iterator[Row | Refused]:
    """Yield what each record means. `type` is the product type where no column says it; prices of a seller's file are
    in `currency`."""
    is_discogs = layout.name != "csv"
    read_row = _discogs(layout, type, parse, currency) if is_discogs else _mapped(layout, type, parse)
    for record in records:
        if record.problem is not None:
            yield Refused(record.line, record.problem, record.cells)
            continue
        try:
            yield read_row(record)
        except Refusal as refusal:
            yield Refused(record.line, str(refusal), record.cells)


def _discogs(layout: Layout, type: str, parse: Parse, currency: str) -> Callable[[Record], Row]:
    release_at = layout.columns.get("release")
    values_of = _values(layout, type)
    has_products = "title" in layout.columns
    names_id = layout.is_id_named
    copies = copies_reader(layout, currency)

    def row(record: Record) -> Row:
        release = read.text(record.cells[release_at]) if release_at is not None else None
        if release is not None and not _RELEASE.match(release):
            raise Refusal(f'release_id: "{release[:40]}" is not a Discogs release number.')
        if not has_products:
            if release is None:
                raise Refusal("release_id: This field is required.")
            claim = f"discogs:release:{release}"
            known = ImportRow(values=None, claim=claim, copies=copies(record.cells, claim))
            return Row(record.line, known, record.cells)
        values, artist, label = values_of(record.cells)
        if release is not None and not names_id:
            values["external_id"] = release
            values["external_id_title"] = RELEASE_TITLE
        claim = f"discogs:release:{release}" if release is not None else _digest("discogs", artist, values)
        product = _product(values, artist, label, claim, parse, copies(record.cells, claim))
        return Row(record.line, product, record.cells)

    return row


def _mapped(layout: Layout, type: str, parse: Parse) -> Callable[[Record], Row]:
    values_of = _values(layout, type)
    id_at = layout.columns.get("external_id")
    id_title = layout.header[id_at].strip() if id_at is not None else ""
    id_name = _fold(id_title)

    def row(record: Record) -> Row:
        values, artist, label = values_of(record.cells)
        external_id = values.get("external_id")
        if external_id is not None:
            values["external_id_title"] = id_title or None
        if external_id is not None and layout.is_id_named:
            claim = f"external:{id_name}:{external_id}"
        else:
            # A column that is merely called "id" counts from 1 in every file: it alone would take one file's rows
            # for another's.
            claim = _digest(id_name, artist, values)
        return Row(record.line, _product(values, artist, label, claim, parse), record.cells)

    return row


def _values(layout: Layout, type: str) -> Callable[[Sequence[str]], tuple[dict[str, Any], str | None, str | None]]:
    """Return what reads a row's cells as (fields of the product, artist's name, label's name)."""
    columns = dict(layout.columns)
    columns.pop("release", None)
    artist_at, label_at = columns.pop("artist", None), columns.pop("label", None)
    plain = [(field, at) for field, at in columns.items() if field not in _READERS]
    special = [(field, at, _READERS[field]) for field, at in columns.items() if field in _READERS]
    clean = read.text

    def values_of(cells: Sequence[str]) -> tuple[dict[str, Any], str | None, str | None]:
        values: dict[str, Any] = {"title": None, "type": type}
        for field, at in plain:
            if (cell := clean(cells[at])) is not None:
                values[field] = cell
        for field, at, reader in special:
            if (cell := clean(cells[at])) is not None:
                values[field] = reader(cell)
        artist = clean(cells[artist_at]) if artist_at is not None else None
        label = clean(cells[label_at]) if label_at is not None else None
        return (
            values,
            read.without_homonyms(artist) if artist else None,
            read.first_label(label) if label else None,
        )

    return values_of


def _product(
    values: dict[str, Any],
    artist: str | None,
    label: str | None,
    claim: str,
    parse: Parse,
    copies: Copies | None = None,
) -> ImportRow:
    given = dict(values)
    if values["title"] is None:
        del given["title"]
    if artist:
        given["artist_name"] = artist
    if label:
        given["music_label_name"] = label
    parsed, errors = parse(given)
    if errors:
        raise Refusal(explain(errors))
    return ImportRow(
        artist_name=parsed.pop("artist_name", None),
        music_label_name=parsed.pop("music_label_name", None),
        values=parsed,
        claim=claim,
        copies=copies,
    )


def _digest(source: str, artist: str | None, values: Mapping[str, Any]) -> str:
    """Return the claim of a row that has no id of its own: what is said of the product names it."""
    parts = [source, _fold(artist or ""), *[_fold(str(values.get(field) or "")) for field in _IDENTITY]]
    return "row:" + blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _fold(name: str) -> str:
    """Case, white space and Unicode's two spellings of an accent do not make another name. Never change this: claims
    that are held were made with it."""
    if name.isascii():
        return " ".join(name.lower().split())
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())

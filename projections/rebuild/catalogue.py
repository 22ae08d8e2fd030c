"""The catalogue's tables from the log: products, each with its items, presences and digital assets."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection

from domain.errors import UnfoldableEvent
from projections import version
from projections.base import queries
from projections.copying import Copying
from projections.rebuild.projection import Bounds, Filled, Table, between
from projections.rebuild.schema import take_over
from projections.rebuild.source import Source
from projections.replay import Family, Replay

_SQL = queries("rebuild")
_COMMIT_SECONDS = 60.0
"""A check is told as of when it was made: so much later it is committed, at most."""
_ROW_ERRORS = (LookupError, TypeError, ValueError, AttributeError)


class CatalogueTables:
    """What it is about is a product with its family."""

    name: ClassVar[str] = "catalogue"
    units: ClassVar[str] = "products"
    version: ClassVar[int] = version.VERSION
    tables: ClassVar[Sequence[Table]] = tuple(
        map(Table, ("product_list", "product_document", "inventory_list", "presence_list", "asset_list"))
    )
    is_behind_log: ClassVar[bool] = False

    def prepare(self, connection: Connection[Any], until: int, _are_new: bool) -> None:
        connection.execute(_SQL["prepare"])
        connection.execute(_SQL["find_kin"], {"after": 0, "until": until})
        connection.execute(_SQL["index_kin"])
        connection.execute("ANALYZE kin")

    def cut(self, connection: Connection[Any], count: int) -> list[Bounds]:
        return between([str(row[0]) for row in connection.execute(_SQL["edges"], {"count": count})])

    def fill(self, source: Source, writer: Connection[Any], bounds: Bounds, aside: Collection[UUID]) -> Filled:
        share = dict(zip(("first", "last"), bounds, strict=True))
        products = _but(aside, source.stream(_SQL["product_events"], share))
        kin: Iterable[Any] = ()
        if writer.execute("SELECT EXISTS (SELECT FROM kin)").fetchone() == (True,):
            kin = _but(aside, source.stream(_SQL["kin_events"], share, reader=1))
        return _copied(writer, Replay(products, kin))

    def moved(self, connection: Connection[Any], after: int, until: int) -> list[UUID]:
        span = {"after": after, "until": until}
        connection.execute(_SQL["find_kin"], span)
        return [row[0] for row in connection.execute(_SQL["moved"], span)]

    def follow(
        self, connection: Connection[Any], moved: Sequence[UUID], _after: int, _until: int, aside: Collection[UUID]
    ) -> None:
        if moved:
            connection.execute(_SQL["index_families"])
        connection.execute(_SQL["forget"], {"ids": list(moved)})
        ids = {"ids": [id for id in moved if id not in aside]}
        products = connection.cursor(binary=True).execute(_SQL["events_of"], ids).fetchall()
        kin = connection.cursor(binary=True).execute(_SQL["kin_events_of"], ids).fetchall()
        _copied(connection, Replay(products, kin))

    def adopt(
        self, connection: Connection[Any], since: datetime | None, moved: Sequence[UUID] | None
    ) -> datetime | None:
        """When listings were checked is in no event: documents show it all the same."""
        if moved is None:
            connection.execute(_SQL["show_all_checks"])
        else:
            connection.execute(_SQL["show_checks"], {"since": since, "moved": list(moved)})
        row = connection.execute("SELECT now()").fetchone()
        assert row is not None
        found: datetime = row[0] - timedelta(seconds=_COMMIT_SECONDS)
        return found

    def object_of(self, connection: Connection[Any], stream: UUID) -> UUID:
        found = connection.execute("SELECT product FROM kin WHERE id = %s", [stream]).fetchone()
        return found[0] if found else stream

    def take_over(self, connection: Connection[Any], objects: Sequence[UUID]) -> None:
        connection.execute(_SQL["forget"], {"ids": list(objects)})
        for table in self.tables:
            take_over(connection, table.name, "id" if table.name.startswith("product_") else "product", objects)


def _but(aside: Collection[UUID], rows: Iterator[Any]) -> Iterator[Any]:
    if not aside:
        return rows
    left_out = {id.bytes for id in aside}
    return (row for row in rows if row[0] not in left_out)


def _copied(writer: Connection[Any], replay: Replay) -> Filled:
    copying = Copying(writer)
    for family in replay:
        try:
            copying.add(family)
        except _ROW_ERRORS as error:
            raise _unshowable(writer, family, error) from error
    copying.flush()
    return Filled(replay.events, copying.products)


def _unshowable(connection: Connection[Any], family: Family, error: Exception) -> UnfoldableEvent:
    """Return what is wrong with a family whose events could be read, and not told in rows."""
    id = family.product.id
    row = connection.execute(_SQL["newest_of"], {"ids": [id]}).fetchone()
    assert row is not None
    position, topic = row
    return UnfoldableEvent(id, position, topic, type(error).__name__)

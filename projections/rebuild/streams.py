"""Tables whose every row is told by one stream: purchases, connections, imports, keys and computed prices."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from domain.connection import connection as connections
from domain.errors import UnfoldableEvent
from domain.event import DomainEvent
from domain.imports import imports as file_imports
from domain.organization import organization as keys
from domain.organization.events import OrganizationCreated
from domain.presence import presence as presences
from domain.purchase import purchase as purchases
from domain.vocabulary import DECODERS
from projections import connection, imports, organizations, purchase, rates
from projections.base import queries
from projections.rebuild.projection import Bounds, Filled, Table, between
from projections.rebuild.schema import take_over
from projections.rebuild.source import Source

_SQL = queries("rebuild_streams")
_ROW_ERRORS = (LookupError, TypeError, ValueError, AttributeError)

Rows = Iterator[tuple[str, Sequence[Any]]]
"""Tables with a row for each."""


class StreamTables(NamedTuple):
    """`nouns` are the kinds of streams; `rows` says what one of them, given by its events, comes to."""

    name: str
    units: str
    nouns: Sequence[str]
    tables: Sequence[Table]
    columns: Mapping[str, Sequence[str]]
    rows: Callable[[Sequence[DomainEvent]], Rows]
    version: int = 1
    is_behind_log: bool = False

    def prepare(self, connection: Connection[Any], until: int, are_new: bool) -> None:
        pass

    def cut(self, connection: Connection[Any], count: int) -> list[Bounds]:
        found = connection.execute(_SQL["edges"], {"count": count, "nouns": list(self.nouns)})
        return between([str(row[0]) for row in found])

    def fill(self, source: Source, writer: Connection[Any], bounds: Bounds, aside: Collection[UUID]) -> Filled:
        values = {"first": bounds[0], "last": bounds[1], "nouns": list(self.nouns)}
        events = source.stream(_SQL["events"], values)
        return self._write(writer, events, aside)

    def moved(self, connection: Connection[Any], after: int, until: int) -> list[UUID]:
        values = {"after": after, "until": until, "nouns": list(self.nouns)}
        return [row[0] for row in connection.execute(_SQL["moved"], values)]

    def follow(
        self, connection: Connection[Any], moved: Sequence[UUID], _after: int, _until: int, aside: Collection[UUID]
    ) -> None:
        self._forget(connection, moved)
        ids = {"ids": list(moved)}
        events = connection.cursor(binary=True).execute(_SQL["events_of"], ids).fetchall()
        self._write(connection, events, aside)

    def adopt(self, connection: Connection[Any], since: datetime | None, moved: Sequence[UUID] | None) -> None:
        pass

    def object_of(self, _connection: Connection[Any], stream: UUID) -> UUID:
        return stream

    def take_over(self, connection: Connection[Any], objects: Sequence[UUID]) -> None:
        self._forget(connection, objects)
        for table in self.tables:
            take_over(connection, table.name, table.key, objects)

    def _forget(self, connection: Connection[Any], objects: Sequence[UUID]) -> None:
        for table in self.tables:
            dropped = SQL("DELETE FROM {} WHERE {} = ANY(%s)")
            connection.execute(dropped.format(Identifier(table.name), Identifier(table.key)), [list(objects)])

    def _write(self, writer: Connection[Any], events: Iterable[Any], aside: Collection[UUID]) -> Filled:
        made: dict[str, list[Sequence[Any]]] = {table.name: [] for table in self.tables}
        count = 0
        for stream, group in groupby(events, itemgetter(0)):
            stored = list(group)
            count += len(stored)
            if (id := UUID(bytes=stream)) not in aside:
                for table, row in self._rows_of(id, stored):
                    made[table].append(row)
        for table, rows in made.items():
            into = SQL("COPY {} ({}) FROM STDIN")
            columns = SQL(", ").join(map(Identifier, self.columns[table]))
            with writer.cursor() as cursor, cursor.copy(into.format(Identifier(table), columns)) as copy:
                for row in rows:
                    copy.write_row(row)
        return Filled(count, sum(map(len, made.values())))

    def _rows_of(self, id: UUID, stored: Sequence[Any]) -> list[tuple[str, Sequence[Any]]]:
        events = []
        position, topic = stored[-1][3], stored[-1][1]
        try:
            for _, topic, state, position in stored:  # noqa: B007 - the one that fails is told
                events.append(DECODERS[topic](state))
        except (KeyError, msgspec.MsgspecError) as error:
            raise UnfoldableEvent(id, position, topic, str(error)) from error
        try:
            return list(self.rows(events))
        except _ROW_ERRORS as error:
            # Without its message, which may quote what the object is about.
            raise UnfoldableEvent(id, position, topic, type(error).__name__) from error


def _purchases(events: Sequence[DomainEvent]) -> Rows:
    if (state := purchases.fold(events)) is not None:
        yield "purchase_list", purchase.purchase_row(state)


def _connections(events: Sequence[DomainEvent]) -> Rows:
    if (state := connections.fold(events)) is not None:
        yield "connection_list", connection.connection_row(state)


def _imports(events: Sequence[DomainEvent]) -> Rows:
    if (state := file_imports.fold(events)) is not None:
        yield "import_list", imports.import_row(state)


def _organizations(events: Sequence[DomainEvent]) -> Rows:
    for event in events:
        if isinstance(event, OrganizationCreated):
            yield "organization", organizations.organization_row(event)
    if (key := keys.fold(events)) is not None:
        yield "api_key", organizations.key_row(key)


def _conversions(events: Sequence[DomainEvent]) -> Rows:
    if (state := presences.fold(events)) is not None and state.prices.follows_rate:
        yield "conversion", rates.conversion_row(state)


def _of(name: str, noun: str, table: Table, columns: Sequence[str], rows: Any) -> StreamTables:
    return StreamTables(name, name, (noun,), (table,), {table.name: columns}, rows)


PURCHASES = _of("purchases", "purchase", Table("purchase_list"), purchase.COLUMNS, _purchases)
CONNECTIONS = _of("connections", "connection", Table("connection_list"), connection.COLUMNS, _connections)
IMPORTS = _of("imports", "import", Table("import_list"), imports.COLUMNS, _imports)
CONVERSIONS = _of("conversions", "presence", Table("conversion", "presence"), rates.COLUMNS, _conversions)
ORGANIZATIONS = StreamTables(
    "organizations",
    "organizations and keys",
    ("organization", "api-key"),
    (Table("organization"), Table("api_key")),
    {"organization": organizations.COLUMNS, "api_key": organizations.KEY_COLUMNS},
    _organizations,
)

"""Something of everything that projections show, and their tables as they are."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.connection import CreateConnection, DeleteConnection, NoteVerified, ReviseConnection
from commands.imports.job import RequestImport
from commands.organization import CreateKey, CreateOrganization, RevokeKey
from commands.work import Context
from projections.rebuild.known import find
from tests.selling import sold
from tests.shop import Shop

WRITTEN_MEANWHILE = "Written meanwhile"
CONNECTION = {
    "name": None,
    "interval_minutes": 60,
    "push_prices": False,
    "auto_delist": False,
    "markup_percent": 0,
}


class Everything:
    """A shop with something of every kind; `more` writes to each of them again."""

    def __init__(self, bus: Bus, products: int = 6) -> None:
        self.bus = bus
        self.organization: UUID = uuid7()
        self.context = Context(self.organization, "key_1", "request-1")
        self.shop = Shop(bus, self.organization)
        bus.execute(CreateOrganization(self.organization, f"Shop {self.organization}"), self.context)
        self.keys = [self._key() for _ in range(2)]
        for number in range(products):
            self._product(number)
        self.connections = [self._connection(platform) for platform in ("plat_discogs", "plat_ebay")]
        self.purchases = [sold(bus, self.organization, external_order_id=str(n)) for n in range(2)]
        self._import()
        self.more()

    def more(self) -> None:
        """Change, add and drop some of each."""
        product = self.shop.products[0]
        self.shop.revise(product, title=WRITTEN_MEANWHILE)
        self.shop.revise_presence(next(iter(self.shop.presences)), listing_price="21.00", listing_currency="EUR")
        self._product(99)
        self.shop.drop_product(self.shop.products[-2])
        self._do(RevokeKey(self.keys.pop()))
        self.keys.append(self._key())
        self._do(DeleteConnection(id=self.connections.pop()))
        self.connections.append(self._connection("plat_ebay"))
        self._do(ReviseConnection(id=self.connections[0], values={"markup_percent": len(self.shop.products)}))
        self._do(NoteVerified(id=self.connections[0]))
        self.purchases.append(sold(self.bus, self.organization))
        self._import()

    def _do(self, command: Any) -> None:
        self.bus.execute(command, self.context)

    def _key(self) -> UUID:
        id: UUID = uuid7()
        self._do(CreateKey(id=id, name="A key", scopes=("read",), digest=id.hex * 2, prefix="dw_12345"))
        return id

    def _product(self, number: int) -> None:
        id = self.shop.product(title=f"Album {number}", type="physical", tags=("rock",))
        self.shop.item(id, status="listed", price_total_usd="9.99")
        currency = {"listing_currency": "EUR"} if number % 2 else {}
        self.shop.presence(id, platform_uid="plat_redbubble", status="active", listing_price="20.00", **currency)

    def _connection(self, platform: str) -> UUID:
        id: UUID = uuid7()
        self._do(CreateConnection(id=id, values=CONNECTION | {"platform_uid": platform}, sealed=b"sealed"))
        return id

    def _import(self) -> None:
        self._do(RequestImport(id=uuid7(), filename="list.csv", blob="none", size_bytes=1, sha256="", type="physical"))


def tables(database_url: str, name: str) -> dict[str, list[str]]:
    """Return all rows of a projection's tables."""
    with psycopg.connect(database_url) as connection:
        return {
            table.name: sorted(
                row[0]
                for row in connection.execute(
                    sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier("public", table.name))
                )
            )
            for table in find(name).tables
        }


def tamper(database_url: str, name: str) -> tuple[str, str]:
    """Change one live row of the projection's first table; return the table's name and what tells the row apart."""
    table = find(name).tables[0]
    changed = {
        "product_list": "title_key = 'tampered'",
        "purchase_list": "status = 'tampered'",
        "connection_list": "revision = 99",
        "import_list": "filename = 'tampered'",
        "organization": "name = 'tampered'",
        "conversion": "currency = 'XXX'",
        "audit_event": "actor = 'tampered'",
    }[table.name]
    statement = f"""UPDATE {table.name} SET {changed}
        WHERE {table.key} = (SELECT {table.key} FROM {table.name} ORDER BY {table.key} LIMIT 1)
        RETURNING {table.key}::text"""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return table.name, row[0]


def poison(database_url: str, stream: UUID, topic: str = "product.revised.v9") -> int:
    """Append an event that this version does not know to a stream; return its position."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state)"
            " SELECT originator_id, max(originator_version) + 1, %(topic)s,"
            " convert_to(json_build_object('organization', (SELECT convert_from(state, 'UTF8')::json ->> 'organization'"
            " FROM events WHERE originator_id = %(stream)s AND originator_version = 1), 'actor', 'x',"
            " 'correlation_id', 'x', 'timestamp', now())::text, 'UTF8')"
            " FROM events WHERE originator_id = %(stream)s GROUP BY originator_id RETURNING notification_id",
            {"stream": stream, "topic": topic},
        ).fetchone()
    assert row is not None
    return int(row[0])


def heal(database_url: str, positions: Sequence[int]) -> None:
    """Take events out of the log, as its owner alone can."""
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER events_stay")
        connection.execute("DELETE FROM events WHERE notification_id = ANY(%s)", [list(positions)])
        connection.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER events_stay")

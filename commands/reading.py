"""What is asked of the log and of what stands beside it: streams, families, claims, receipts."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
import psycopg

from commands.connections import has_died
from commands.recorder import Connections, EventMapper, Rows, StoredEvent
from commands.save import Receipt
from domain.errors import IdempotencyMismatch, Unavailable, UnfoldableEvent
from domain.event import DomainEvent
from domain.rates import Rate

S = TypeVar("S")

_NEWEST = 2**62

_SELECT_STREAM = b"""SELECT originator_id, originator_version, topic, state FROM events
    WHERE originator_id = %b AND originator_version <= %b::bigint ORDER BY originator_version"""
_SELECT_FIRSTS = b"""SELECT originator_id, originator_version, topic, state FROM events
    WHERE originator_id = ANY(%b) AND originator_version = 1"""
_SELECT_ALL = b"""SELECT originator_id, originator_version, topic, state FROM events
    WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version"""
_SELECT_FAMILIES = b"""SELECT p.id, f.child_revision, f.items_made, f.items, f.presences, f.assets
    FROM unnest(%b::uuid[]) AS p (id) CROSS JOIN LATERAL family(p.id) AS f"""
_SELECT_NUMBERS = b"SELECT nextval('presence_number') AS number FROM generate_series(1, %b::integer)"
_SELECT_HOLDERS = b"SELECT value, holder FROM claim WHERE organization = %b AND kind = %s AND value = ANY(%b)"
_SELECT_CLAIMS = b"SELECT holder, value FROM claim WHERE kind = %s AND holder = ANY(%b)"
_SELECT_DOWNLOADS = b"SELECT asset, id FROM downloads_since(%b, %s, %b)"
_SELECT_RECEIPT = b"SELECT request, status, headers, body FROM receipt WHERE organization = %b AND key = %s"
_SELECT_RATE = b"""SELECT c.day, c.per_euro, u.per_euro AS usd_per_euro
    FROM rate AS c JOIN rate AS u ON u.day = c.day AND u.currency = 'USD'
    WHERE c.currency = %s ORDER BY c.day DESC LIMIT 1"""
_LISTINGS = """SELECT l.presence, l.product, l.platform, l.version, l.status, l.price, l.currency, l.reference,
    l.push_number, l.push_basis, l.end_wanted, l.due IS NOT NULL AND l.is_enabled AND coalesce(c.auto_delist, false)
        AS can_end, c.id AS connection
    FROM listing AS l LEFT JOIN connection_list AS c ON c.organization = l.organization AND c.platform = l.platform"""
_SELECT_LISTINGS = f"{_LISTINGS} WHERE l.organization = %b AND l.presence = ANY(%b)".encode()
# One that several products have is whose item has the SKU, or else is not over.
_SELECT_LISTED = f"""{_LISTINGS} WHERE l.organization = %b AND l.platform = %s AND l.external_id = %s
    ORDER BY EXISTS (
        SELECT FROM inventory_list AS i
        WHERE i.organization = l.organization AND i.product = l.product AND i.sku_key = %s
    ) DESC, l.due IS NULL, l.presence LIMIT 1""".encode()
_DELETE_RECEIPTS = b"DELETE FROM receipt WHERE created < now() - make_interval(secs => %s) RETURNING 1"


_SELECT_POSITION = b"SELECT notification_id FROM events WHERE originator_id = %b AND originator_version = %b"
_PARK = b"SELECT park_stream(%b, %b, %s, %s) AS is_new"
_FOLD_ERRORS = (LookupError, TypeError, ValueError, AttributeError)


class Family(NamedTuple):
    """A product's items, presences and digital assets. `revision` counts their events, `items_made` all items ever."""

    revision: int
    items_made: int
    items: Sequence[UUID]
    presences: Sequence[UUID]
    assets: Sequence[UUID]


class KnownListing(NamedTuple):
    """A listing as it is known: the presence's own facts as of its `version`, what is wanted of it (see `listing`), and
    whether it can be ended from here; `connection` is its platform's, None without one.
    """

    presence: UUID
    product: UUID
    platform: str
    version: int
    status: str
    price: Decimal | None
    currency: str
    reference: Mapping[str, str] | None
    push_number: int
    push_basis: str | None
    end_wanted: str | None
    can_end: bool
    connection: UUID | None


class Reading:
    """The questions of a store. Every method raises Unavailable where the database does not answer; those that return
    events, or what they come to, raise UnfoldableEvent.
    """

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._mapper = EventMapper()

    def load(self, id: UUID, fold: Callable[[Iterable[DomainEvent]], S], version: int | None = None) -> S:
        """Fold a stream, up to `version` when given. An unknown id folds no events."""
        rows = self._rows(_SELECT_STREAM, [id, version if version is not None else _NEWEST])
        events = [self._decoded(row) for row in rows]
        try:
            return fold(events)
        except _FOLD_ERRORS as error:
            if not rows:
                raise
            # They can be read and not understood: another version has written them.
            raise self._unfoldable(rows[-1], type(error).__name__) from error

    def firsts(self, ids: Sequence[UUID]) -> dict[UUID, DomainEvent]:
        """Return the first event of each stream of `ids` that exists."""
        rows = self._rows(_SELECT_FIRSTS, [list(ids)])
        return {row["originator_id"]: self._decoded(row) for row in rows}

    def load_all(self, ids: Sequence[UUID]) -> dict[UUID, list[DomainEvent]]:
        """Return the events of each stream of `ids` that exists, oldest first."""
        streams: dict[UUID, list[DomainEvent]] = {}
        for row in self._rows(_SELECT_ALL, [list(ids)]) if ids else ():
            streams.setdefault(row["originator_id"], []).append(self._decoded(row))
        return streams

    def park(self, error: UnfoldableEvent) -> bool:
        """Note that the stream of the event cannot be folded; return whether that was not known."""
        rows = self._rows(_PARK, [error.stream, error.position, error.topic, error.reason])
        return bool(rows[0]["is_new"])

    def _decoded(self, row: dict[str, Any]) -> DomainEvent:
        try:
            event: DomainEvent = self._mapper.to_domain_event(StoredEvent(**row))
        except (KeyError, msgspec.MsgspecError) as error:
            raise self._unfoldable(row, str(error)) from error
        return event

    def _unfoldable(self, row: dict[str, Any], reason: str) -> UnfoldableEvent:
        found = self._rows(_SELECT_POSITION, [row["originator_id"], row["originator_version"]])
        return UnfoldableEvent(row["originator_id"], found[0]["notification_id"], row["topic"], reason)

    def family(self, product: UUID) -> Family | None:
        """Return what belongs to the product at this moment; None where it is gone."""
        return self.families([product]).get(product)

    def families(self, products: Sequence[UUID]) -> dict[UUID, Family]:
        """Return what belongs to each of the products at this moment; those that are gone are left out."""
        return {id: Family(*family) for id, *family in map(dict.values, self._rows(_SELECT_FAMILIES, [list(products)]))}

    def next_presence_numbers(self, count: int) -> list[int]:
        """Return numbers that no presence of the deployment has or had, ascending."""
        return sorted(row["number"] for row in self._rows(_SELECT_NUMBERS, [count]))

    def holders(self, organization: UUID, kind: str, values: Sequence[str]) -> dict[str, UUID]:
        """Return who holds which of `values`; values without a holder are left out."""
        rows = self._rows(_SELECT_HOLDERS, [organization, kind, list(values)])
        return {row["value"]: row["holder"] for row in rows}

    def claims(self, kind: str, holders: Sequence[UUID]) -> dict[UUID, list[str]]:
        """Return what each of `holders` holds of this kind; those that hold nothing are left out."""
        held: dict[UUID, list[str]] = {}
        for row in self._rows(_SELECT_CLAIMS, [kind, list(holders)]):
            held.setdefault(row["holder"], []).append(row["value"])
        return held

    def downloads_since(self, purchase: UUID, ip: str, since: datetime) -> dict[UUID, UUID]:
        """Return the downloads of a purchase that an address has begun since then, by asset."""
        return {row["asset"]: row["id"] for row in self._rows(_SELECT_DOWNLOADS, [purchase, ip, since])}

    def receipt(self, organization: UUID, key: str, request: bytes) -> Receipt | None:
        """Return the answer bound to the key. Raises IdempotencyMismatch where it was another request's."""
        rows = self._rows(_SELECT_RECEIPT, [organization, key])
        if not rows:
            return None
        [row] = rows
        if bytes(row["request"]) != request:
            raise IdempotencyMismatch
        return Receipt(organization, key, request, row["status"], row["headers"], None, row["body"])

    def rate(self, currency: str) -> Rate | None:
        """Return the newest rate of a currency, however old; None where none is known."""
        rows = self._rows(_SELECT_RATE, [currency])
        return Rate(**rows[0]) if rows else None

    def listings(self, organization: UUID, presences: Sequence[UUID]) -> dict[UUID, KnownListing]:
        """Return what is known of listings, by presence; what is none is left out."""
        rows = self._rows(_SELECT_LISTINGS, [organization, list(presences)])
        return {row["presence"]: KnownListing(**row) for row in rows}

    def listed(self, organization: UUID, platform: str, external_id: str, sku: str | None) -> KnownListing | None:
        """Return the listing that a platform calls so; None where it is not known here."""
        key = "" if sku is None else sku.casefold()
        rows = self._rows(_SELECT_LISTED, [organization, platform, external_id, key])
        return KnownListing(**rows[0]) if rows else None

    def forget_receipts(self, older_than_seconds: int) -> int:
        """Delete the receipts past their time; return how many there were."""
        return len(self._rows(_DELETE_RECEIPTS, [older_than_seconds]))

    def _rows(self, statement: bytes, values: Sequence[Any]) -> Rows:
        with reachable():
            try:
                return self.connections.rows(statement, values)
            except psycopg.OperationalError as error:
                if not has_died(error):
                    raise
            # The connections that died with it are replaced by now. What comes through here can be done twice.
            return self.connections.rows(statement, values)


@contextlib.contextmanager
def reachable() -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable from error

"""The connection: an organization's account on a marketplace. State, decisions, evolve."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.connection.events import (
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionEvent,
    ConnectionRefused,
    ConnectionRevised,
    ConnectionTestRequested,
    ConnectionVerified,
    CredentialsReplaced,
)
from domain.event import DomainEvent, Stamp, own_fields, told

Status = Literal["unauthorized", "checking", "connected", "failing", "reconnect"]


class Connection(Struct, frozen=True, kw_only=True):
    """`status` is unauthorized while there are no credentials, checking while they are being tried, failing while they
    are tried again, reconnect once only others help. `tested` is when the platform last let us in or did not.
    """

    id: UUID
    organization: UUID
    version: int
    platform_uid: str
    name: str | None
    interval_minutes: int
    push_prices: bool
    auto_delist: bool
    markup_percent: int
    status: Status
    reason: str | None
    tested: datetime | None
    created: datetime
    updated: datetime

    @property
    def is_test_owed(self) -> bool:
        return self.status in {"checking", "failing"}

    @property
    def is_usable(self) -> bool:
        """Say whether its listings can be checked and told."""
        return self.status == "connected"


_REVISABLE = own_fields(ConnectionRevised)
_CREATED = own_fields(ConnectionCreated)


def create(id: UUID, values: Mapping[str, Any], has_credentials: bool, stamp: Stamp) -> list[ConnectionEvent]:
    """`values` are ConnectionCreated's fields by name."""
    events: list[ConnectionEvent] = [ConnectionCreated(**stamp.on(id, 1), **values)]
    if has_credentials:
        events.append(CredentialsReplaced(**stamp.on(id, 2)))
    return events


def revise(
    connection: Connection, values: Mapping[str, Any], has_credentials: bool, stamp: Stamp
) -> list[ConnectionEvent]:
    """Return what takes it to `values`; new credentials are news even where they are the same."""
    events: list[ConnectionEvent] = []
    changed = {k: v for k, v in values.items() if k in _REVISABLE and getattr(connection, k) != v}
    if changed:
        events.append(ConnectionRevised(**stamp.on(connection.id, connection.version + 1), **changed))
    if has_credentials:
        events.append(CredentialsReplaced(**stamp.on(connection.id, connection.version + 1 + len(events))))
    return events


def request_test(connection: Connection, stamp: Stamp) -> list[ConnectionEvent]:
    """Return nothing where there is nothing to try, or where it is being tried."""
    if connection.status in {"unauthorized", "checking"}:
        return []
    return [ConnectionTestRequested(**stamp.on(connection.id, connection.version + 1))]


def verify(connection: Connection, stamp: Stamp) -> list[ConnectionEvent]:
    """Return nothing where nobody asked any more."""
    if not connection.is_test_owed:
        return []
    return [ConnectionVerified(**stamp.on(connection.id, connection.version + 1))]


def refuse(
    connection: Connection, reason: str, is_final: bool, stamp: Stamp, revision: int | None = None
) -> list[ConnectionEvent]:
    """Return nothing where nobody asked any more, or where that is known. Where it was not a test that it came of, but
    work with the connection as of `revision`, nothing once it changed: others may open it now.
    """
    is_known = connection.status == "failing" and connection.reason == reason and not is_final
    is_news = connection.is_test_owed if revision is None else connection.is_usable and connection.version == revision
    if not is_news or is_known:
        return []
    return [
        ConnectionRefused(**stamp.on(connection.id, connection.version + 1), reason=reason, is_final=is_final),
    ]


def delete(connection: Connection, stamp: Stamp) -> ConnectionDeleted:
    return ConnectionDeleted(**stamp.on(connection.id, connection.version + 1))


def evolve(connection: Connection | None, event: DomainEvent) -> Connection | None:
    """Return the state after `event`; None once it is deleted."""
    if isinstance(event, ConnectionCreated):
        return Connection(
            id=event.originator_id,
            organization=event.organization,
            version=event.originator_version,
            **{name: getattr(event, name) for name in _CREATED},
            status="unauthorized",
            reason=None,
            tested=None,
            created=event.timestamp,
            updated=event.timestamp,
        )
    if connection is None or isinstance(event, ConnectionDeleted):
        return None
    moved = replace(connection, version=event.originator_version, updated=event.timestamp)
    match event:
        case ConnectionRevised():
            return replace(moved, **told(event, _REVISABLE))
        case CredentialsReplaced() | ConnectionTestRequested():
            return replace(moved, status="checking", reason=None)
        case ConnectionVerified():
            return replace(moved, status="connected", reason=None, tested=event.timestamp)
        case ConnectionRefused():
            status: Status = "reconnect" if event.is_final else "failing"
            return replace(moved, status=status, reason=event.reason, tested=event.timestamp)
    return connection


def fold(events: Iterable[DomainEvent]) -> Connection | None:
    connection: Connection | None = None
    for event in events:
        connection = evolve(connection, event)
    return connection

"""Connections to marketplaces as a table, and the tests of them that workers still owe."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from domain import ids
from domain.connection.connection import Connection
from domain.connection.events import ConnectionVerified
from domain.connection.form import CAPABILITIES, MANUAL, Capabilities
from domain.event import Change, Projected, Step
from domain.platforms import PLATFORM
from projections.base import Reader, queries
from projections.guards import Guard, guarded
from projections.numbered import NumberedPage, numbered_page
from projections.presence_document import PresencePlatform

KIND = "connection"
"""What `todo` calls a connection that is to be tried."""
SUBSCRIPTION = "subscription"
"""What `todo` calls a connection that its platform is to send notifications of."""
NOTIFIES = frozenset({"plat_ebay"})
_SQL = queries("connection")
_encode = msgspec.json.Encoder().encode


class ConnectionDocument(Struct, frozen=True, kw_only=True):
    """`reason` says why the platform did not let us in, null where it did. What opens the account is not shown."""

    uid: str
    platform: PresencePlatform
    name: str | None
    status: str
    reason: str | None
    has_credentials: bool
    interval_minutes: int
    push_prices: bool
    auto_delist: bool
    markup_percent: int
    capabilities: Capabilities
    tested_at: datetime | None
    created: datetime
    updated: datetime


class Row(NamedTuple):
    """One connection's answer."""

    document: str
    revision: int
    platform_uid: str


def subscription_of(connection: UUID) -> UUID:
    """Return what `todo` calls the setting up of a connection's notifications."""
    return uuid5(connection, SUBSCRIPTION)


class Returned(NamedTuple):
    """Whose consent a state stood for; `is_in_time` says whether it still does. `sealed` is what the answer is opened
    with, None where it needs nothing.
    """

    connection: UUID
    organization: UUID
    is_in_time: bool
    sealed: bytes | None


def connection_document(state: Connection) -> str:
    """Return the connection object as JSON text."""
    known = PLATFORM[state.platform_uid]
    return _encode(
        ConnectionDocument(
            uid=ids.uid(ids.CONNECTION, state.id),
            platform=PresencePlatform(known.uid, known.name, known.slug),
            name=state.name,
            status=state.status,
            reason=state.reason,
            has_credentials=state.status != "unauthorized",
            interval_minutes=state.interval_minutes,
            push_prices=state.push_prices,
            auto_delist=state.auto_delist,
            markup_percent=state.markup_percent,
            capabilities=CAPABILITIES.get(state.platform_uid, MANUAL),
            tested_at=state.tested,
            created=state.created,
            updated=state.updated,
        )
    ).decode()


class ConnectionsProjection:
    """Keeps `connection_list`, and in `todo` the connections that are to be tried, or to be sent notifications of."""

    def project(self, changes: Sequence[Change]) -> Projected:
        steps: list[Step] = []
        documents: dict[UUID, str] = {}
        for change in changes:
            state = change.after or change.before
            if not isinstance(state, Connection):
                continue
            if change.after is None:
                gone = (state.id,)
                calls = ("drop_connection(%b)", "drop_activity(%b)", "owe_no_more(%b)", "unsubscribe(%b)")
                steps += [Step(call, gone) for call in calls]
                continue
            document = documents[state.id] = connection_document(state)
            if not change.events:
                continue
            row = (state.id, state.organization, state.version, state.platform_uid, state.created, document)
            steps.append(Step("put_connection(%b, %b, %b::bigint, %s, %b, %s)", row))
            was_owed = change.before is not None and change.before.is_test_owed
            if state.status == "checking":
                steps.append(Step("owe(%b, %b, %s, %b)", (state.id, state.organization, KIND, state.updated)))
            elif was_owed and not state.is_test_owed:
                steps.append(Step("owe_no_more(%b)", (state.id,)))
            if state.platform_uid in NOTIFIES and any(isinstance(event, ConnectionVerified) for event in change.events):
                work = (state.id, state.organization, subscription_of(state.id), SUBSCRIPTION, state.updated)
                steps.append(Step("subscribe(%b, %b, %b, %s, %b)", work))
        return Projected(steps, documents)


def expect(id: UUID, accepts: Callable[[int], bool]) -> Guard:
    """Return a guard that lets a write go on only while `accepts` holds for the connection's revision. See guarded."""
    return guarded((_SQL["hold"], _SQL["held"]), id, lambda row: accepts(row["revision"]))


async def page(reader: Reader, organization: UUID, number: int | None, size: int) -> NumberedPage | None:
    """Return a page of connections, oldest first. See numbered_page."""
    return await numbered_page(reader, _SQL, organization, number, size)


async def detail(reader: Reader, organization: UUID, id: UUID) -> Row | None:
    """Return one connection; None where the organization has no such connection."""
    found = await reader.row(_SQL["detail"], [id, organization])
    return None if found is None else Row(*found)


async def returned(reader: Reader, state_digest: bytes) -> Returned | None:
    """Return whose consent the state stands for, the first time it is asked; None where it stands for none."""
    found = await reader.row(_SQL["returned"], [state_digest])
    if found is None:
        return None
    connection, organization, is_in_time, sealed = found
    return Returned(connection, organization, is_in_time, None if sealed is None else bytes(sealed))

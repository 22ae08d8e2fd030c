"""Commands about connections to marketplaces."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands.save import Claim, Saved
from commands.work import Work, change, refuse
from domain.connection import connection as connections
from domain.connection.connection import Connection
from domain.connection.events import ConnectionEvent
from domain.errors import Invalid, Taken
from domain.event import Change, Step

CLAIM = "connection"
DROPPED = "The test was dropped."
DUPLICATE = "This platform is connected already."


class CreateConnection(Struct, frozen=True, kw_only=True):
    """`values` are ConnectionCreated's fields by name. `sealed` opens the account; None: nothing does yet."""

    id: UUID
    values: Mapping[str, Any]
    sealed: bytes | None = None

    @property
    def subject(self) -> None:
        return None


class _AboutConnection(Struct, frozen=True, kw_only=True):
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


class ReviseConnection(_AboutConnection, frozen=True, kw_only=True):
    """Fields that are not in `values` stay; so do the credentials where `sealed` is None."""

    values: Mapping[str, Any]
    sealed: bytes | None = None


class RequestTest(_AboutConnection, frozen=True, kw_only=True):
    """Have a worker see whether the platform lets us in."""


class BeginConsent(_AboutConnection, frozen=True, kw_only=True):
    """Expect the seller back from the platform's page until then, with the state of this digest. `sealed` is what their
    answer is opened with; None: nothing is needed.
    """

    state_digest: bytes
    until: datetime
    sealed: bytes | None = None


class NoteVerified(_AboutConnection, frozen=True, kw_only=True):
    """The platform let us in."""


class NoteRefused(_AboutConnection, frozen=True, kw_only=True):
    """`revision` is the connection's that was refused while it was worked with; None: while it was tried."""

    reason: str
    is_final: bool
    revision: int | None = None


class DeleteConnection(_AboutConnection, frozen=True, kw_only=True):
    """What opens the account goes with it."""


def create(command: CreateConnection, work: Work) -> Saved:
    """Raises Invalid where the organization has a connection to the platform."""
    events = connections.create(command.id, command.values, command.sealed is not None, work.stamp)
    made = change(command.id, None, events, connections.evolve)
    claim = Claim(work.context.organization, CLAIM, command.values["platform_uid"], command.id)
    steps = _kept(command.id, work.context.organization, command.sealed)
    try:
        return work.save([made], subject=command.id, claims=[claim], steps=steps)
    except Taken:
        raise Invalid({"platform_uid": [DUPLICATE]}) from None


def revise(command: ReviseConnection, work: Work) -> Saved:
    """Raises NotFound."""
    state = _load(command, work)
    events = connections.revise(state, command.values, command.sealed is not None, work.stamp)
    return _save(state, events, work, _kept(state.id, state.organization, command.sealed))


def request_test(command: RequestTest, work: Work) -> Saved:
    """Raises NotFound, Invalid where there is nothing to try."""
    state = _load(command, work)
    if state.status == "unauthorized":
        refuse({"non_field_errors": ["There are no credentials to try."]})
    return _save(state, connections.request_test(state, work.stamp), work)


def begin_consent(command: BeginConsent, work: Work) -> Saved:
    """Raises NotFound."""
    state = _load(command, work)
    values = (command.state_digest, state.id, state.organization, command.until, command.sealed)
    return work.save([], steps=[Step("begin_consent(%b, %b, %b, %b, %b::bytea)", values)])


def note_verified(command: NoteVerified, work: Work) -> Saved:
    state = _load(command, work)
    return _save(state, connections.verify(state, work.stamp), work)


def note_refused(command: NoteRefused, work: Work) -> Saved:
    state = _load(command, work)
    events = connections.refuse(state, command.reason, command.is_final, work.stamp, command.revision)
    return _save(state, events, work)


def delete(command: DeleteConnection, work: Work) -> Saved:
    """Raises NotFound."""
    state = _load(command, work)
    gone = change(state.id, state, [connections.delete(state, work.stamp)], connections.evolve)
    return work.save([gone], release=[state.id])


def dropped(id: UUID, work: Work) -> Sequence[Change]:
    """Return what ends a test that somebody took off the workers' list."""
    state = work.load(id, connections.fold)
    events = connections.refuse(state, DROPPED, True, work.stamp)
    return [change(id, state, events, connections.evolve)] if events else []


def _load(command: _AboutConnection, work: Work) -> Connection:
    """Raises NotFound."""
    return work.load(command.id, connections.fold)


def _save(state: Connection, events: Sequence[ConnectionEvent], work: Work, steps: Sequence[Step] = ()) -> Saved:
    # Without events too: the answer's document is made of the state.
    return work.save([change(state.id, state, events, connections.evolve)], subject=state.id, steps=steps)


def _kept(id: UUID, organization: UUID, sealed: bytes | None) -> list[Step]:
    return [] if sealed is None else [Step("put_credential(%b, %b, %b)", (id, organization, sealed))]


HANDLERS: dict[Any, Any] = {
    CreateConnection: create,
    ReviseConnection: revise,
    RequestTest: request_test,
    BeginConsent: begin_consent,
    NoteVerified: note_verified,
    NoteRefused: note_refused,
    DeleteConnection: delete,
}

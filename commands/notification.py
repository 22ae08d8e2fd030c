"""Commands about what a platform sends by itself: one that came, and whether it is set up to send any."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands.activity import activity_step
from commands.save import Saved
from commands.work import Work
from domain.connection import connection as connections
from domain.connection.activity import Activity, Outcome
from domain.event import Step

ORDER = "ORDER_CONFIRMATION"
_MESSAGES: Mapping[str, str] = {
    ORDER: "eBay tells of an order: orders are read now.",
    "MARKETPLACE_ACCOUNT_DELETION": "eBay tells of an account that was closed: nothing is kept here of it.",
}
_OTHER = "eBay tells of something else: it was acknowledged, and nothing done."


class TakeNotification(Struct, frozen=True, kw_only=True):
    """Do what a notification asks for, once for each id. It is a hint: what happened is read from the platform."""

    connection: UUID
    notification_id: str
    topic: str

    @property
    def subject(self) -> None:
        return None


class NoteSubscribed(Struct, frozen=True, kw_only=True):
    """Say in the connection's activity what came of having notifications sent."""

    connection: UUID
    outcome: Outcome
    message: str

    @property
    def subject(self) -> None:
        return None


def take(command: TakeNotification, work: Work) -> Saved:
    """Raises NotFound."""
    state = work.load(command.connection, connections.fold)
    digest = hashlib.sha256(command.notification_id.encode(errors="replace")).digest()
    message = _MESSAGES.get(command.topic, _OTHER)
    values = (state.id, state.organization, work.now, digest, command.topic == ORDER, message)
    return work.save([], steps=[Step("take_notification(%b, %b, %b, %b::bytea, %b, %s)", values)])


def note_subscribed(command: NoteSubscribed, work: Work) -> Saved:
    """Raises NotFound."""
    state = work.load(command.connection, connections.fold)
    entry = Activity(connection=state.id, action="notification", outcome=command.outcome, message=command.message)
    return work.save([], steps=[activity_step(state.organization, work.now, [entry])])


HANDLERS: dict[Any, Any] = {TakeNotification: take, NoteSubscribed: note_subscribed}

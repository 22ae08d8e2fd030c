"""What was done with a connection, noted with the write that did it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.connection.activity import Activity, columns
from domain.event import Step

_NOTE = "note_activities(%b, %b, %b::uuid[], %b::text[], %b::text[], %b::uuid[], %b::uuid[], %b::text[], %b::text[])"


def activity_step(organization: UUID, at: datetime, entries: Sequence[Activity]) -> Step:
    """Return the step that notes the entries in their order; of connections that are gone it notes nothing."""
    return Step(_NOTE, (organization, at, *columns(entries)))

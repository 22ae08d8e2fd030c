"""How well marketplaces are kept in step with: connection by connection for a shell, added up for metrics."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from projections.base import Reader, queries

_SQL = queries("sync")


class Connected(NamedTuple):
    """A connection; `reason` says why the marketplace did not let us in. Of its listings: how many are watched, how
    many of those are due for a check and for how long the first of them has been, how many are to be told a price,
    how many are to end. `breaker` is closed, open or half-open; `errors` are those of the last hour, with the
    newest one's message.
    """

    organization: UUID
    organization_name: str
    id: UUID
    platform: str
    name: str | None
    status: str
    reason: str | None
    listings: int
    due: int
    lag_seconds: float
    pushes_wanted: int
    ends_wanted: int
    orders_checked: datetime | None
    breaker: str
    breaker_until: datetime | None
    breaker_reason: str | None
    errors: int
    newest_error: str | None


class OnPlatform(NamedTuple):
    """The listings of a platform's connections that work, counted as in Connected."""

    platform: str
    listings: int
    due: int
    pushes_wanted: int
    ends_wanted: int
    lag_seconds: float


class CallsLeft(NamedTuple):
    """What a marketplace may be asked still: None where it did not say yet, 0 while it is blocked."""

    limit: str
    left: int | None
    blocked_until: datetime | None


async def connections(reader: Reader, organization: UUID | None = None) -> list[Connected]:
    """Return an organization's connections, or all; by organization, oldest first."""
    return [Connected(*row) for row in await reader.rows(_SQL["connections"], {"organization": organization})]


async def platforms(reader: Reader) -> list[OnPlatform]:
    return [OnPlatform(*row) for row in await reader.rows(_SQL["platforms"])]


async def open_breakers(reader: Reader) -> dict[str, int]:
    """Return how many connections of each platform are left alone at the moment, or tried again."""
    return dict(await reader.rows(_SQL["open_breakers"]))


async def calls_left(reader: Reader) -> list[CallsLeft]:
    """Return what is left of each limit that processes share. Whose application it is of is not told."""
    found: dict[str, CallsLeft] = {}
    for key, left, until in await reader.rows(_SQL["limits"]):
        platform, *rest = key.split(":")
        name = f"{platform}:{rest[-1]}" if rest else platform
        known = found.get(name)
        if known is None or (left is not None and (known.left is None or left < known.left)):
            found[name] = CallsLeft(name, left, until)
    return list(found.values())

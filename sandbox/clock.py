"""What time it is at the test servers: the world's, moved by so much, or one that moves only when it is told to."""

from datetime import UTC, datetime, timedelta


class Clock:
    """With a `start` it stands there until it is moved; without one it goes."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._moved = timedelta(0)

    def now(self) -> datetime:
        return (self._start or datetime.now(UTC)) + self._moved

    def move(self, seconds: float) -> None:
        self._moved += timedelta(seconds=seconds)


def utc(moment: datetime) -> str:
    """Return a time as both vendors' machines write it in UTC: 2026-01-02T10:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

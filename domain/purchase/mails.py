"""When a mail is tried again, and how often one may be asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

TRIED_FOR = timedelta(days=1)
"""So long a mail is tried from when it was asked for."""
FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 3600.0
RESENDS = 5
WITHIN = timedelta(hours=1)
"""At most RESENDS a purchase within this time."""


def next_attempt(attempt: int, asked_at: datetime, now: datetime, jitter: float) -> datetime | None:
    """Return when to try again after the `attempt`th failure (from 1), None where the day is over by then.

    The pause doubles up to its longest; `jitter` from 0 to 1 takes from half of it to all.
    """
    pause_seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 20))
    due = now + timedelta(seconds=pause_seconds * (0.5 + 0.5 * jitter))
    return due if due <= asked_at + TRIED_FOR else None


def throttled_seconds(resent: Sequence[datetime], now: datetime) -> int:
    """Return the whole seconds until another mail may be asked for, 0 where it may be now."""
    if len(resent) < RESENDS:
        return 0
    return max(0, ceil((resent[-RESENDS] + WITHIN - now).total_seconds()))

"""How well marketplaces are kept in step with, for Prometheus, read from the database. No label tells whose it is."""

from api.exposition import family, labelled
from domain.connection.form import CAPABILITIES
from domain.platforms import PLATFORM
from projections.activity import tallies
from projections.base import Reader
from projections.sync import OnPlatform, calls_left, open_breakers, platforms


async def sync_metrics(reader: Reader) -> bytes:
    """Raises Unavailable."""
    by_platform = {uid: OnPlatform(uid, 0, 0, 0, 0, 0.0) for uid in CAPABILITIES}
    by_platform |= {found.platform: found for found in await platforms(reader)}
    breakers = dict.fromkeys(CAPABILITIES, 0) | await open_breakers(reader)
    limits, done = await calls_left(reader), await tallies(reader)
    lines = [
        *family(
            "sync_lag_seconds",
            "gauge",
            "For how long the check of a listing has been due that has been due longest.",
            ((labelled(platform=_slug(n.platform)), n.lag_seconds) for n in by_platform.values()),
        ),
        *family(
            "sync_listings",
            "gauge",
            "Listings that are watched, and those of them that wait: for a check, for their price to be told, to end.",
            (
                (labelled(platform=_slug(n.platform), state=state), number)
                for n in by_platform.values()
                for state, number in {
                    "watched": n.listings,
                    "due": n.due,
                    "to_push": n.pushes_wanted,
                    "to_end": n.ends_wanted,
                }.items()
            ),
        ),
        *family(
            "sync_calls_left",
            "gauge",
            "What a marketplace may be asked still, by limit.",
            ((labelled(limit=n.limit), n.left) for n in limits if n.left is not None),
        ),
        *family(
            "sync_activity_total",
            "counter",
            "What was done with connections, by how it ended.",
            ((labelled(platform=_slug(n.platform), action=n.action, outcome=n.outcome), n.entries) for n in done),
        ),
        *family(
            "sync_breakers_open",
            "gauge",
            "Connections that are left alone because their calls failed.",
            ((labelled(platform=_slug(platform)), number) for platform, number in breakers.items()),
        ),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _slug(platform: str) -> str:
    return PLATFORM[platform].slug

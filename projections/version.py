"""Which form a projection's tables have, and how they get the one that this code reads and writes."""

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from domain.errors import Unavailable
from projections.base import queries

if TYPE_CHECKING:
    from projections.rebuild import Rebuilt

VERSION = 3
"""The catalogue's. Raised when its tables are to be made again from the log; others have theirs beside them."""
CATALOGUE = "catalogue"

_SQL = queries("version")
_LOCK = 0x64656166
_FIRST = 1


def bring_up_to_date(database_url: str, processes: int = 2) -> "list[Rebuilt]":
    """Rebuild the tables where an older form of them was built last, or none; return what was.

    Processes that come up together take turns. Raises what rebuild raises, and Unavailable.
    """
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            if live_version(connection, CATALOGUE) < VERSION and not _one(connection, "has_products"):
                note(connection, CATALOGUE, VERSION, None)
            from projections.rebuild import rebuild
            from projections.rebuild.known import PROJECTIONS

            # Of an older form: this code could not bring them back, so they are not kept.
            return [
                rebuild(database_url, processes, name=projection.name, keep=False)
                for projection in PROJECTIONS
                if live_version(connection, projection.name) < projection.version
            ]
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error


def _one(connection: Connection[Any], name: str, *values: Any) -> Any:
    row = connection.execute(_SQL[name], values).fetchone()
    return row[0] if row else None


def live_version(connection: Connection[Any], name: str) -> int:
    """Return which form the live tables have. Until one was noted it is the first; of the catalogue, none."""
    noted = _one(connection, "noted", name)
    return (0 if name == CATALOGUE else _FIRST) if noted is None else int(noted)


def note(connection: Connection[Any], name: str, version: int, position: int | None) -> None:
    """Say which form the live tables have, and up to where in the log they were made anew; None where they were not."""
    connection.execute(_SQL["note"], {"name": name, "version": version, "position": position})

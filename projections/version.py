"""Which form the catalogue's tables have, and how they get the one that this code reads and writes."""

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from domain.errors import Unavailable
from projections.base import queries

if TYPE_CHECKING:
    from projections.rebuild import Rebuilt

VERSION = 3
"""Raised when the tables are to be made again from the log."""

_SQL = queries("version")
_LOCK = 0x64656166


def bring_up_to_date(database_url: str, processes: int = 2) -> "Rebuilt | None":
    """Rebuild the tables where an older form of them was built last, or none; return None where there was no need.

    Processes that come up together take turns. Raises what rebuild raises, and Unavailable.
    """
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            if (_one(connection, "noted") or 0) >= VERSION:
                return None
            if not _one(connection, "has_products"):
                note(connection)
                return None
            from projections.rebuild import rebuild

            return rebuild(database_url, processes)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error


def _one(connection: Connection[Any], name: str) -> Any:
    row = connection.execute(_SQL[name]).fetchone()
    return row[0] if row else None


def note(connection: Connection[Any]) -> None:
    """Say that the tables have the form that this code reads and writes."""
    connection.execute(_SQL["note"], [VERSION])

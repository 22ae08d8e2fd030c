"""How things stand with each projection: its tables, those that are being made beside them, those that were kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg

from domain.errors import Unavailable
from projections.base import queries
from projections.rebuild import schema as schemas
from projections.rebuild.known import PROJECTIONS
from projections.rebuild.progress import Notes, Progress
from projections.rebuild.run import LOCK
from projections.version import live_version

_SQL = queries("rebuild_status")


class Beside(NamedTuple):
    """Tables beside the live ones. `stage` is `ready` where they are whole; `started` is when they were begun, or kept.
    `position` is up to where they tell the log.
    """

    stage: str
    version: int
    shares: int
    shares_done: int
    position: int
    started: datetime
    size_bytes: int


class Standing(NamedTuple):
    """`rows` and `version` are those of the live tables, about how many and of which form; `built` is when they were
    last made anew, None where they never were. `new` and `kept` are those beside them.
    """

    name: str
    tables: Sequence[str]
    rows: int
    size_bytes: int
    version: int
    newest_version: int
    built: datetime | None
    position: int | None
    new: Beside | None
    kept: Beside | None


class Status(NamedTuple):
    """`is_worked_at` says whether a rebuild runs at this moment."""

    is_worked_at: bool
    projections: Sequence[Standing]


def status(database_url: str) -> Status:
    """Raises Unavailable."""
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            row = connection.execute(_SQL["is_worked_at"], [LOCK]).fetchone()
            found = []
            for projection in PROJECTIONS:
                name = projection.name
                built = connection.execute(_SQL["built"], [name]).fetchone() or (None, None)
                beside = []
                for schema in (schemas.new_schema(name), schemas.kept_schema(name)):
                    schemas.look_into(connection, schema)
                    progress = Notes(connection).progress(schema)
                    size = schemas.size_bytes(connection, projection, schema)
                    beside.append(None if progress is None else _beside(progress, size))
                found.append(
                    Standing(
                        name,
                        [table.name for table in projection.tables],
                        schemas.live_rows(connection, projection),
                        schemas.size_bytes(connection, projection, schemas.LIVE),
                        live_version(connection, name),
                        projection.version,
                        *built,
                        *beside,
                    )
                )
            return Status(row is not None and row[0], found)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error


def _beside(progress: Progress, size_bytes: int) -> Beside:
    return Beside(
        progress.stage,
        progress.version,
        progress.shares,
        progress.shares_done,
        progress.position,
        progress.started,
        size_bytes,
    )

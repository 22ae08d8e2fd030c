"""Migrations: numbered SQL files beside this one, forward only, each in a transaction of its own."""

import hashlib
from importlib.resources import files
from typing import NamedTuple

import psycopg
from psycopg import sql

from domain.errors import DeadwaxError, Unavailable

MINIMUM_SERVER_VERSION = 150_000
_LOCK = 0x64656164  # any constant of our own: two migrators take turns
_LOCK_TIMEOUT_SECONDS = 60


class MigrationError(DeadwaxError):
    """The database cannot be migrated."""


class Migration(NamedTuple):
    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    found = [
        Migration(int(file.name.split("_")[0]), file.name, file.read_text())
        for file in files("commands.migrations").iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(found)


# What is only ever added to.
_KEPT = ("events", "seal", "seal_anchor")
_RIGHTS = f"""
GRANT USAGE ON SCHEMA public TO {{role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {{role}};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {{role}};
REVOKE ALL ON {", ".join(_KEPT)}, migration FROM {{role}};
GRANT SELECT, INSERT ON {", ".join(_KEPT)} TO {{role}};
GRANT SELECT ON migration TO {{role}};
GRANT EXECUTE ON FUNCTION lock_log() TO {{role}};
-- Tables that a rebuild makes are new ones.
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {{role}};
ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO {{role}};
"""


def give_rights(database_url: str, role: str) -> bool:
    """Let `role` do what `api` and `worker` do and no more: of the log, read and insert. Return whether it was made.

    A role that is made can log in and has no password. Raises MigrationError where it could not be bounded, or made.
    """
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            return _give_rights(connection, role)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"DATABASE_RUNTIME_ROLE: {error.diag.message_primary} (as owner of the tables?)"
        ) from error


def _give_rights(connection: psycopg.Connection, role: str) -> bool:
    found = connection.execute(
        "SELECT r.rolsuper OR pg_has_role(r.oid, c.relowner, 'MEMBER') FROM pg_roles AS r, pg_class AS c"
        " WHERE r.rolname = %s AND c.oid = 'public.events'::regclass",
        [role],
    ).fetchone()
    if found is not None and found[0]:
        raise MigrationError(
            f"DATABASE_RUNTIME_ROLE: {role} owns the log or is a superuser, and could change all of it."
        )
    if found is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    connection.execute(sql.SQL(_RIGHTS).format(role=sql.Identifier(role)))
    return found is None


def migrate(database_url: str) -> list[str]:
    """Bring the database to the newest form; return the names of the migrations that ran.

    Raises Unavailable where the server cannot be reached, MigrationError where it is older than PostgreSQL 15, where
    an applied file was edited, or where the database is ahead of this code.
    """
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as connection:
            return _migrate(connection)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error).strip()}") from error


def _migrate(connection: psycopg.Connection) -> list[str]:
    if connection.info.server_version < MINIMUM_SERVER_VERSION:
        raise MigrationError(f"PostgreSQL 15 or newer is needed, this is {connection.info.server_version // 10_000}.")
    connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'")
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration "
            "(number integer PRIMARY KEY, name text NOT NULL, digest text NOT NULL, applied timestamptz DEFAULT now())"
        )
        applied: dict[int, str] = dict(connection.execute("SELECT number, digest FROM migration").fetchall())
        known = {migration.number: migration for migration in migrations()}
        if ahead := applied.keys() - known.keys():
            raise MigrationError(f"The database has migration {max(ahead)}, which this version does not know.")
        ran = []
        for number, migration in sorted(known.items()):
            if number in applied:
                if applied[number] != migration.digest:
                    raise MigrationError(f"{migration.name} was edited after it was applied.")
                continue
            with connection.transaction():
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO migration (number, name, digest) VALUES (%s, %s, %s)",
                    [number, migration.name, migration.digest],
                )
            ran.append(migration.name)
        return ran
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])

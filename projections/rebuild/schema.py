"""Tables in schemas beside the live ones: made in their form, indexed as they are, put in their place."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

from projections.base import queries
from projections.rebuild.projection import Projection

_SQL = queries("rebuild_tables")
LIVE = "public"
_NO_AUTOVACUUM = "autovacuum_enabled = false"


def new_schema(name: str) -> str:
    """Return where tables are made that are to take the live ones' place."""
    return f"rebuilt_{name}"


def kept_schema(name: str) -> str:
    """Return where the tables are that were live before."""
    return f"kept_{name}"


def gone_schema(name: str) -> str:
    """Return where tables are that nobody wants any more."""
    return f"rebuilt_gone_{name}"


def scratch_schema(name: str) -> str:
    """Return where tables are made only to be compared."""
    return f"rebuilt_scratch_{name}"


def _names(projection: Projection) -> list[str]:
    return [table.name for table in projection.tables]


def take_over(connection: Connection[Any], table: str, key: str, values: Sequence[Any]) -> None:
    """Copy the live rows with these keys into the table that the search path leads to."""
    found = connection.execute(_SQL["columns"], {"schema": LIVE, "tables": [table]})
    columns = SQL(", ").join(Identifier(name) for _, name, *_, generated in found if not generated)
    copied = SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {live} WHERE {key} = ANY(%s)")
    statement = copied.format(
        table=Identifier(table), columns=columns, live=Identifier(LIVE, table), key=Identifier(key)
    )
    connection.execute(statement, [list(values)])


def look_into(connection: Connection[Any], schema: str) -> None:
    """Let names lead to the schema first, and then to the live tables."""
    connection.execute(SQL("SET search_path = {}, public").format(Identifier(schema)))


def drop(connection: Connection[Any], schema: str) -> bool:
    """Drop the schema with all that is in it; return whether there was one."""
    was_there = connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", [schema]).fetchone() == (True,)
    connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))
    return was_there


def create(connection: Connection[Any], projection: Projection, schema: str) -> None:
    """Make the schema with empty tables of the live ones' form, without indexes."""
    options = dict(connection.execute(_SQL["options"], {"tables": _names(projection)}).fetchall())
    connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
    for name in _names(projection):
        what = SQL(
            "CREATE TABLE {} (LIKE public.{} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING STORAGE"
            " INCLUDING CONSTRAINTS) WITH ({})"
        )
        # Nobody is to vacuum and analyze what is being filled.
        given = SQL(f"{options[name]}, {_NO_AUTOVACUUM}" if name in options else _NO_AUTOVACUUM)
        connection.execute(what.format(Identifier(schema, name), Identifier(name), given))


def has_form_of_live(connection: Connection[Any], projection: Projection, schema: str) -> bool:
    """Say whether the schema has all of the tables, with the columns that the live ones have."""
    values = {"tables": _names(projection)}
    live, others = (
        connection.execute(_SQL["columns"], values | {"schema": where}).fetchall() for where in (LIVE, schema)
    )
    return live == others


def index(connection: Connection[Any], database_url: str, projection: Projection, schema: str) -> None:
    """Give the tables the live ones' indexes and keys, those and no others. What is there already stays."""
    values = {"tables": _names(projection)}
    wanted = connection.execute(_SQL["indexes"], values | {"schema": LIVE}).fetchall()
    there = {name for _, name, _ in connection.execute(_SQL["indexes"], values | {"schema": schema})}
    missing = [definition for _, name, definition in wanted if name not in there]
    _build(database_url, [definition.replace(" ON public.", f" ON {schema}.") for definition in missing])
    for name in there - {name for _, name, _ in wanted}:
        connection.execute(SQL("DROP INDEX {}").format(Identifier(schema, name)))
    _add_keys(connection, projection, schema)
    for name in _names(projection):
        connection.execute(SQL("ALTER TABLE {} RESET (autovacuum_enabled)").format(Identifier(schema, name)))
        connection.execute(SQL("ANALYZE {}").format(Identifier(schema, name)))


def index_keys(connection: Connection[Any], database_url: str, projection: Projection, schema: str) -> None:
    """Give the tables the live ones' primary keys alone."""
    values = {"tables": _names(projection), "schema": LIVE}
    keys = {name for _, name in connection.execute(_SQL["keys"], values)}
    wanted = connection.execute(_SQL["indexes"], values).fetchall()
    made = [definition.replace(" ON public.", f" ON {schema}.") for _, name, definition in wanted if name in keys]
    _build(database_url, made)
    for name in _names(projection):
        connection.execute(SQL("ANALYZE {}").format(Identifier(schema, name)))


def _add_keys(connection: Connection[Any], projection: Projection, schema: str) -> None:
    values = {"tables": _names(projection)}
    there = connection.execute(_SQL["keys"], values | {"schema": schema}).fetchall()
    for row in connection.execute(_SQL["keys"], values | {"schema": LIVE}).fetchall():
        if row not in there:
            table, key = row
            added = SQL("ALTER TABLE {} ADD CONSTRAINT {key} PRIMARY KEY USING INDEX {key}")
            connection.execute(added.format(Identifier(schema, table), key=Identifier(key)))


def _build(database_url: str, definitions: Sequence[str]) -> None:
    search = [definition for definition in definitions if " USING gin " in definition]
    others = [definition for definition in definitions if definition not in search]
    # Side by side: the words, with a worker, take somewhat longer than all the others one after the other.
    with ThreadPoolExecutor() as pool:
        for built in (pool.submit(_create, database_url, search, 1), pool.submit(_create, database_url, others, 0)):
            built.result()


def _create(database_url: str, definitions: Sequence[str], workers: int) -> None:
    if not definitions:
        return
    with psycopg.connect(database_url, autocommit=True, application_name="deadwax rebuild") as connection:
        connection.execute("SET maintenance_work_mem = '128MB'")
        connection.execute(f"SET max_parallel_maintenance_workers = {workers}".encode())
        # That they are there is noted after, in a commit that waits for all before it.
        connection.execute("SET synchronous_commit = off")
        # An index goes whole into the write-ahead log: to compress it takes half as long as to make it.
        connection.execute(_SQL["leave_uncompressed"])
        for definition in definitions:
            connection.execute(definition.encode())


def give_rights(connection: Connection[Any], projection: Projection, schema: str) -> None:
    """Let everybody do with the tables what they may do with the live ones."""
    for table, role, right in connection.execute(_SQL["rights"], {"tables": _names(projection)}).fetchall():
        granted = SQL("GRANT {} ON {} TO ").format(SQL(right), Identifier(schema, table))
        connection.execute(granted + SQL(role))


def exchange(projection: Projection, schema: str, *, kept: str) -> Composed:
    """Return what puts the tables of a schema in the live ones' place, and those into the new schema `kept`."""
    statements: list[Composed] = [SQL("CREATE SCHEMA {}").format(Identifier(kept))]
    for name in _names(projection):
        for source, target in ((LIVE, kept), (schema, LIVE)):
            moved = SQL("ALTER TABLE {} SET SCHEMA {}")
            statements.append(moved.format(Identifier(source, name), Identifier(target)))
    return SQL("; ").join(statements)


def lock(projection: Projection, mode: str) -> Composed:
    """Return what locks the live tables."""
    return SQL("LOCK TABLE {} IN {} MODE").format(
        SQL(", ").join(Identifier(LIVE, name) for name in _names(projection)), SQL(mode)
    )


def shut(projection: Projection) -> Composed:
    """Return what keeps everybody from the live tables and writers from the log, in the order in which those lock."""
    tables = lock(projection, "ACCESS EXCLUSIVE")
    log = SQL("LOCK TABLE public.events IN EXCLUSIVE MODE")
    return SQL("; ").join([log, tables] if projection.is_behind_log else [tables, log])


def size_bytes(connection: Connection[Any], projection: Projection, schema: str) -> int:
    row = connection.execute(_SQL["size"], {"tables": _names(projection), "schema": schema}).fetchone()
    return int(row[0]) if row else 0


def live_rows(connection: Connection[Any], projection: Projection) -> int:
    """Return about how many rows the live tables have together."""
    row = connection.execute(_SQL["estimate"], {"tables": _names(projection)}).fetchone()
    return int(row[0]) if row else 0

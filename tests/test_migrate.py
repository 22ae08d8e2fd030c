import threading
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from commands.migrate import MigrationError, migrate, migrations
from domain.errors import Unavailable


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    name = "empty_" + urlsplit(database_url).path.lstrip("/")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        yield urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_an_empty_database_gets_every_migration_once_in_their_order(empty_database: str) -> None:
    names = [migration.name for migration in migrations()]
    assert migrate(empty_database) == names
    assert migrate(empty_database) == []
    numbers = [migration.number for migration in migrations()]
    assert numbers == sorted({*numbers})


def test_pictures_that_were_given_up_before_the_list_kept_such_work_are_dead_on_it(empty_database: str) -> None:
    picture = "INSERT INTO image (id, organization, token, blob, content_type, size_bytes, attempts, error) VALUES"
    with psycopg.connect(empty_database) as connection:
        for migration in migrations():
            if migration.name == "010_todo.sql":
                values = "(gen_random_uuid(), gen_random_uuid(), %s, '', '', 1, 5, %s)"
                connection.execute(f"{picture} {values}".encode(), ["gone", "It was tried 5 times."])
                connection.execute(f"{picture} {values}".encode(), ["fine", None])
            connection.execute(migration.sql.encode())
        query = "SELECT kind, attempts, error, dead_since <= now() FROM todo"
        assert connection.execute(query).fetchall() == [("image", 5, "It was tried 5 times.", True)]


def test_two_migrators_take_turns(empty_database: str) -> None:
    ran: list[list[str]] = []
    threads = [threading.Thread(target=lambda: ran.append(migrate(empty_database))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, ran)) == [0, 0, len(migrations())]


def test_an_edited_migration_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE migration SET digest = 'x' WHERE number = 1")
    with pytest.raises(MigrationError, match=r"001_log\.sql was edited"):
        migrate(database_url)


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO migration (number, name, digest) VALUES (999, 'x', 'x')")
    with pytest.raises(MigrationError, match="migration 999"):
        migrate(database_url)


def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(Unavailable, match="PostgreSQL cannot be reached"):
        migrate("postgresql://nobody@127.0.0.1:1/nothing")

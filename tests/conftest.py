"""Real engines for every test: the embedded ones, or those that DATABASE_URL, REDIS_URL and S3_ENDPOINT_URL name.

A run migrates one template database; each test gets a copy of it. Under xdist the controller starts the engines and
tells the workers by environment; without xdist they start with the first test that wants them.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import structlog
from minio import Minio
from msgspec.structs import replace
from psycopg.sql import SQL, Composed, Identifier
from redis import Redis

from commands.migrate import migrate
from commands.settings import Settings, declared
from engines.reach import reached

pytest_plugins = ["tests.accounts", "tests.clients", "tests.downloading", "tests.mailing", "tests.picturing"]

SECRET = "a-secret-of-the-tests"
_TEMPLATE = "DEADWAX_TEST_TEMPLATE"
_ENGINES = ("database_url", "redis_url", "s3_endpoint_url", "s3_access_key", "s3_secret_key", "s3_bucket")
_controller = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    # No process of a test asks anybody on the internet.
    os.environ |= {"DEADWAX_RATES_URL": "off", "DEADWAX_RATES_FALLBACK_URL": "off"}
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        settings, template = _controller.enter_context(_engines())
        os.environ[_TEMPLATE] = template
        os.environ.update({declared()[name][1].variable: getattr(settings, name) for name in _ENGINES})


def pytest_unconfigure(config: pytest.Config) -> None:
    _controller.close()


@contextmanager
def _engines() -> Iterator[tuple[Settings, str]]:
    """Give the engines of this run and the name of its template database; leave nothing of it behind."""
    given = Settings.load()
    folder = Path(tempfile.mkdtemp(prefix="deadwax-tests-"))
    template = f"deadwax_test_{secrets.token_hex(4)}"
    try:
        with reached(replace(given, data=folder)) as settings:
            if not given.database_url:
                # The folder goes at the end of the run: a test waits for no disk. The product never does this.
                _execute(settings.database_url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            bucket = f"deadwax-test-{secrets.token_hex(4)}"
            store = _minio(settings)
            store.make_bucket(bucket)
            _execute(settings.database_url, SQL("CREATE DATABASE {}").format(Identifier(template)))
            try:
                migrate(_named(settings.database_url, template))
                yield replace(settings, s3_bucket=bucket), template
            finally:
                _execute(settings.database_url, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(template)))
                for found in store.list_objects(bucket, recursive=True):
                    store.remove_object(bucket, found.object_name or "")
                store.remove_bucket(bucket)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A test that tells where lines go tells it for itself: after it that place is closed."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def engines() -> Iterator[tuple[Settings, str]]:
    """The engines as settings, and the template's name."""
    if _TEMPLATE in os.environ:
        yield Settings.load(), os.environ[_TEMPLATE]
        return
    with _engines() as found:
        yield found


@pytest.fixture
def database_url(engines: tuple[Settings, str]) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    with empty_database(*engines) as url:
        yield url


@contextmanager
def empty_database(settings: Settings, template: str) -> Iterator[str]:
    """Give a migrated, empty database."""
    name = f"{template}_{secrets.token_hex(4)}"
    create = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(Identifier(name), Identifier(template))
    _execute(settings.database_url, create)
    yield _named(settings.database_url, name)
    _execute(settings.database_url, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def redis_url(engines: tuple[Settings, str], worker_id: str) -> str:
    """A database of this xdist worker's own in Redis, emptied: 15 and downwards."""
    number = 15 - int(worker_id.removeprefix("gw")) if worker_id != "master" else 15
    parts = urlsplit(engines[0].redis_url)
    if parts.scheme == "unix":
        url = f"unix://{parts.path}?db={number}"
    else:
        url = urlunsplit(parts._replace(path=f"/{number}"))
    with Redis.from_url(url) as redis:
        redis.flushdb()
    return url


@pytest.fixture
def settings(engines: tuple[Settings, str], database_url: str, redis_url: str) -> Settings:
    """What a process of this test runs with."""
    return replace(engines[0], database_url=database_url, redis_url=redis_url, secret_key=SECRET)


@pytest.fixture
def s3(engines: tuple[Settings, str]) -> Iterator[Settings]:
    """The S3 server, as settings, with an empty bucket: whatever a test leaves in it goes."""
    settings = engines[0]
    store = _minio(settings)
    bucket = f"{settings.s3_bucket}-{secrets.token_hex(4)}"
    store.make_bucket(bucket)
    yield replace(settings, s3_bucket=bucket)
    for found in store.list_objects(bucket, recursive=True):
        store.remove_object(bucket, found.object_name or "")
    store.remove_bucket(bucket)


def _minio(settings: Settings) -> Minio:
    endpoint = urlsplit(settings.s3_endpoint_url)
    return Minio(
        endpoint.netloc,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        secure=endpoint.scheme == "https",
        region=settings.s3_region,
    )


def _named(database_url: str, name: str) -> str:
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))


def _execute(database_url: str, *statements: LiteralString | Composed) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)

"""What shell commands share: the database that the settings lead to, and a store on it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from commands.settings import Settings
from commands.store import Store
from projections.organizations import Organization


@contextmanager
def database() -> Iterator[str]:
    """Give the database's URL, with the newest tables where it is an embedded one."""
    from commands.migrate import migrate
    from engines.reach import reached
    from projections.version import bring_up_to_date

    given = Settings.load()
    with reached(given, "database_url") as settings:
        if not given.database_url:
            migrate(settings.database_url)
            bring_up_to_date(settings.database_url)
        yield settings.database_url


@contextmanager
def opened_store(database_url: str, pool_size: int = 1) -> Iterator[Store]:
    from projections.inline import inline_projections

    store = Store(database_url, inline_projections(), pool_size=pool_size)
    try:
        yield store
    finally:
        store.close()


def all_organizations(database_url: str) -> list[Organization]:
    """Return every organization, oldest first."""
    return asyncio.run(_organizations(database_url))


async def _organizations(database_url: str) -> list[Organization]:
    from projections.base import Reader
    from projections.organizations import organizations

    async with Reader(database_url, size=1) as reader:
        return await organizations(reader)

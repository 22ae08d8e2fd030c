"""What shell commands share: the database that the settings lead to, and a store on it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from commands.settings import Settings
from commands.store import Store
from domain.errors import DeadwaxError
from domain.fields import FieldError
from domain.organization.form import NAME
from projections.organizations import Organization

_SHOWN_ORGANIZATIONS = 20


class NoSuchOrganization(DeadwaxError):
    """There is no organization of this name."""


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


def organization_name(name: str) -> str:
    """Return the name as an organization would have it. Raises NoSuchOrganization where none can."""
    try:
        wanted: str = NAME.parse(name)
    except FieldError as error:
        raise NoSuchOrganization(f"{name[:80]!r}: {' '.join(map(str, error.args))}") from None
    return wanted


def named_organization(database_url: str, name: str | None) -> Organization:
    """Return the organization; without a name the one that there is. Raises NoSuchOrganization, naming those."""
    known = all_organizations(database_url)
    found = [one for one in known if name is None or one.name.casefold() == organization_name(name).casefold()]
    if len(found) == 1 or (found and name is not None):
        return found[0]
    shown = ", ".join(one.name for one in known[:_SHOWN_ORGANIZATIONS])
    more = " …" if len(known) > _SHOWN_ORGANIZATIONS else ""
    there = f"There are: {shown}{more}." if known else "There is none yet."
    said = "Whose? Say --organization." if name is None else f"There is no organization {organization_name(name)!r}."
    raise NoSuchOrganization(f"{said} {there}")


async def _organizations(database_url: str) -> list[Organization]:
    from projections.base import Reader
    from projections.organizations import organizations

    async with Reader(database_url, size=1) as reader:
        return await organizations(reader)

"""The key that a newcomer starts with."""

import asyncio

from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.organization import CreateKey, CreateOrganization, new_secret
from commands.store import Store
from commands.work import Context
from domain.organization.organization import SCOPES
from projections.base import Reader
from projections.inline import inline_projections
from projections.organizations import organizations

ORGANIZATION = "Demo"


def first_key(database_url: str) -> str | None:
    """Make an organization and its key; return the key, None where there is an organization already."""
    if asyncio.run(_is_taken(database_url)):
        return None
    store = Store(database_url, inline_projections(), pool_size=1)
    try:
        bus, secret, organization = Bus(store), new_secret(), uuid7()
        context = Context(organization, "system", "first-start")
        bus.execute(CreateOrganization(organization, ORGANIZATION), context)
        key = CreateKey(id=uuid7(), name="first", scopes=SCOPES, digest=secret.digest, prefix=secret.prefix)
        bus.execute(key, context)
    finally:
        store.close()
    return secret.text


async def _is_taken(database_url: str) -> bool:
    async with Reader(database_url, size=1) as reader:
        return bool(await organizations(reader))

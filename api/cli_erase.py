"""`deadwax erase`: forget who bought."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from api.cli_database import database, named_organization, opened_store
from domain import ids


def register(app: typer.Typer) -> None:
    app.command()(erase)


def erase(
    email: Annotated[str, typer.Argument(help="The buyer's address, whatever its case.")],
    organization: Annotated[str | None, typer.Option(help="Only what was bought from this organization.")] = None,
) -> None:
    """Forget a buyer everywhere: name and address, where downloads came from, mails kept as files.

    What was bought stays, and its link works; no table and no event says any more who has it.
    """
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.mail_address import address_key
    from commands.outbox import Outbox
    from commands.purchase import EraseBuyer
    from commands.settings import Settings
    from commands.work import Context

    outbox, run, files = Outbox(Settings.load().data), f"cli-{uuid7()}", 0
    with database() as url, opened_store(url) as store:
        owner = None if organization is None else named_organization(url, organization).id
        bus, found = Bus(store), asyncio.run(_bought(url, address_key(email), owner))
        for id, of in found:
            bus.execute(EraseBuyer(id=id), Context(of, "system", run))
            files += outbox.forget(ids.uid(ids.PURCHASE, id))
    typer.echo(f"purchases that say no more who made them: {len(found)}; mails deleted: {files}")


async def _bought(database_url: str, key: str, organization: UUID | None) -> list[tuple[UUID, UUID]]:
    from projections.base import Reader
    from projections.purchase import bought

    async with Reader(database_url, size=1) as reader:
        return await bought(reader, key, organization)

"""`deadwax organization`: whose shop this is."""

import asyncio
from typing import Annotated

import typer

from api.cli_database import database, named_organization, opened_store
from domain.errors import DeadwaxError
from domain.fields import FieldError


class NotAnAddress(DeadwaxError):
    """This is no e-mail address."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Organizations and where answers to their mails go.", no_args_is_help=True)
    group.command(name="list")(list_)
    group.command(name="reply-to")(reply_to)
    app.add_typer(group, name="organization")


def list_() -> None:
    """List the organizations, each with where answers to its mails go."""
    with database() as url:
        rows = asyncio.run(_senders(url))
    width = max((len(name) for name, _ in rows), default=0)
    for name, address in rows:
        typer.echo(f"{name.ljust(width)}  {address or '-'}")


def reply_to(
    address: Annotated[str, typer.Argument(help="An e-mail address; '' for none.")],
    organization: Annotated[str | None, typer.Option(help="Whose; needed where there are several.")] = None,
) -> None:
    """Say where buyers' answers to an organization's mails go."""
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.mail_address import deliverable
    from commands.organization import SetReplyTo
    from commands.work import Context
    from domain.contact_fields import EmailAddress

    try:
        wanted = deliverable(EmailAddress().parse(address)) if address.strip() else None
    except FieldError as error:
        raise NotAnAddress(f"{address[:80]!r}: {' '.join(map(str, error.args))}") from None
    with database() as url, opened_store(url) as store:
        owner = named_organization(url, organization)
        Bus(store).execute(SetReplyTo(wanted), Context(owner.id, "system", f"cli-{uuid7()}"))
    typer.echo(f"{owner.name}: {'answers go nowhere' if wanted is None else f'answers go to {wanted}'}")


async def _senders(database_url: str) -> list[tuple[str, str | None]]:
    from projections.base import Reader
    from projections.organizations import senders

    async with Reader(database_url, size=1) as reader:
        return await senders(reader)

"""`deadwax mail`: the mails that are files in the data folder, and those that no server took."""

import asyncio
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Annotated
from uuid import UUID

import typer

from api.cli_database import database, named_organization, opened_store
from commands.outbox import Kept, Outbox
from commands.settings import Settings
from domain.errors import DeadwaxError

LAST = "last"
_HEADERS = ("Date", "From", "Reply-To", "To", "Subject")


class NoSuchMail(DeadwaxError):
    """There is no such mail in the data folder."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Mails: those kept as files where no SMTP_URL is set, and those that failed.")
    group.callback(invoke_without_command=True)(latest)
    group.command(name="list")(list_)
    group.command()(show)
    group.command()(retry)
    app.add_typer(group, name="mail")


_Limit = Annotated[int, typer.Option(help="How many, the newest first.", min=1)]


def latest(context: typer.Context) -> None:
    """List the last mails."""
    if context.invoked_subcommand is None:
        list_()


def list_(limit: _Limit = 10) -> None:
    """List the last mails that were kept as files."""
    for kept in _kept()[:limit]:
        mail = _read(kept)
        typer.echo(f"{kept.name}  {kept.at:%Y-%m-%d %H:%M:%S}  {mail['to']}  {mail['subject']}")


def show(
    name: Annotated[str, typer.Argument(help=f"A mail's name, as `mail` lists it, or `{LAST}`.")] = LAST,
) -> None:
    """Show one as a person would read it."""
    kept = _kept()
    found = next((one for one in kept if name in (LAST, one.name)), None)
    if found is None:
        raise NoSuchMail(f"{name[:80]}: there is no such mail in {Settings.load().data / 'mail'}.")
    mail = _read(found)
    for header in _HEADERS:
        if header in mail:
            typer.echo(f"{header}: {mail[header]}")
    body = mail.get_body(("plain",))
    typer.echo(f"\n{body.get_content() if body is not None else ''}".replace("\r\n", "\n").rstrip())


def retry(
    organization: Annotated[str | None, typer.Option(help="Only what was bought from this organization.")] = None,
) -> None:
    """Mail the buyers again to whom no mail got through, once what kept it from that is put right."""
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.purchase import ResendMail
    from commands.work import Context
    from domain.purchase.errors import BuyerGone, TooManyMails

    run, owed = f"cli-{uuid7()}", 0
    with database() as url, opened_store(url) as store:
        owner = None if organization is None else named_organization(url, organization).id
        bus = Bus(store)
        for id, of in asyncio.run(_failed(url, owner)):
            try:
                bus.execute(ResendMail(id=id), Context(of, "system", run))
            except (BuyerGone, TooManyMails):
                continue
            owed += 1
    typer.echo(f"{owed} to be sent again")


def _kept() -> list[Kept]:
    return Outbox(Settings.load().data).kept()


def _read(kept: Kept) -> EmailMessage:
    mail: EmailMessage = message_from_bytes(kept.path.read_bytes(), policy=default)
    return mail


async def _failed(database_url: str, organization: UUID | None) -> list[tuple[UUID, UUID]]:
    from projections.base import Reader
    from projections.purchase import failed

    async with Reader(database_url, size=1) as reader:
        return await failed(reader, organization)
